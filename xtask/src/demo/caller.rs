//! The provider's HTTP functions, called as any client would: through the Functions host, with a function key.

use lab::Lab;
use serde_json::Value;

use crate::Result;

/// A client of the provider.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    base: String,
    send_key: String,
    get_key: String,
}

/// What was answered.
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// `Location`, as it came.
    pub(crate) location: Option<String>,
    /// The body, `null` if it is no JSON.
    pub(crate) body: Value,
}

impl Caller {
    /// # Errors
    /// The lab runs no Functions host for the provider.
    pub(crate) fn new(lab: &Lab) -> Result<Self> {
        let host = lab.provider().host().ok_or("the provider's Functions host does not run")?;
        let key = |function: &str| {
            let key = host.function_key(function).ok_or_else(|| format!("{function} is not served"))?;
            Ok::<_, String>(key.to_owned())
        };
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            base: host.base_url(),
            send_key: key("SendDeploymentCommand")?,
            get_key: key("GetDeployment")?,
        })
    }

    /// `POST …/deployments` with a command for `customer`.
    pub(crate) async fn send(&self, customer: &str, number: u32) -> Result<Answer> {
        let body = serde_json::json!({"action": "acknowledge", "parameters": {"number": number}});
        let url = format!("{}/api/customers/{customer}/deployments", self.base);
        let request = self.http.post(url).header("x-functions-key", &self.send_key);
        let request = request.header("content-type", "application/json").body(body.to_string());
        answer(request.send().await?).await
    }

    /// `GET` on a `Location`.
    pub(crate) async fn get(&self, location: &str) -> Result<Answer> {
        let request =
            self.http.get(format!("{}{location}", self.base)).header("x-functions-key", &self.get_key);
        answer(request.send().await?).await
    }
}

async fn answer(response: reqwest::Response) -> Result<Answer> {
    let status = response.status().as_u16();
    let location =
        response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = serde_json::from_str(&response.text().await?).unwrap_or(Value::Null);
    Ok(Answer { status, location, body })
}
