//! HTTP triggers and responses.

use reqwest::{Method, RequestBuilder};

use super::*;

async fn start() -> Option<App> {
    let route = "orders/{id}/{part?}";
    App::start(json!({"type": "httpTrigger", "name": "req", "authLevel": "function", "route": route})).await
}

impl App {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(method, format!("{}{path}", self.host.base_url()));
        request.header("x-functions-key", self.host.function_key("Read").unwrap())
    }

    /// What the library has read of a request, as the body of the response that it made.
    async fn answer(&self, request: RequestBuilder) -> Value {
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
        let seen = (response.status().as_u16(), header("x-own"), header("content-type"));
        let expected = (201, Some("one"), Some("application/json; charset=utf-8"));
        assert_eq!(seen, expected, "{}", self.log_text());
        response.json().await.unwrap()
    }

    /// The headers as reqwest sends them, and these.
    fn headers(&self, others: &[(&str, &str)]) -> Value {
        let mut headers = json!({
            "accept": "*/*",
            "host": self.host.base_url().strip_prefix("http://").unwrap(),
            "x-functions-key": self.host.function_key("Read").unwrap(),
        });
        for (name, value) in others {
            headers[name] = (*value).into();
        }
        headers
    }
}

#[tokio::test]
async fn a_request_is_read_as_it_was_sent() {
    let Some(app) = start().await else { return };
    let path = "/api/orders/a%20b/first?a=1&a=2&b=x%26y&empty=";
    let body = r#"{"sku": "Ä\"1\"", "qty": 3}"#;
    let request = app.request(Method::POST, path).header("content-type", "application/json");
    let request = request.header("x-two", "one").header("x-two", "two").body(body);
    let length = body.len().to_string();
    let others = [("content-type", "application/json"), ("content-length", &length), ("x-two", "one,two")];
    assert_eq!(
        app.answer(request).await,
        json!({
            "method": "POST",
            "url": format!("{}{path}", app.host.base_url()),
            "headers": app.headers(&others),
            "params": {"a": "1,2", "b": "x&y", "empty": ""},
            "route_params": {"id": "a b", "part": "first"},
            "get_body": body,
            "get_json": {"sku": "Ä\"1\"", "qty": 3},
            "form": {},
            "files": {},
        })
    );
    assert_eq!(
        app.answer(app.request(Method::GET, "/api/orders/7")).await,
        json!({
            "method": "GET",
            "url": format!("{}/api/orders/7", app.host.base_url()),
            "headers": app.headers(&[]),
            "params": {},
            "route_params": {"id": "7"},
            "get_body": "",
            "get_json": "JSONDecodeError",
            "form": {},
            "files": {},
        })
    );
    app.close().await;
}

#[tokio::test]
async fn bytes_forms_and_files_are_read_as_they_were_sent() {
    let Some(app) = start().await else { return };
    let put = |content_type: &str, body: Vec<u8>| {
        let request = app.request(Method::PUT, "/api/orders/7").header("content-type", content_type);
        app.answer(request.body(body))
    };
    let bytes = put("application/octet-stream", vec![0, 255, 1]).await;
    assert_eq!(bytes["get_body"], json!([0, 255, 1]));

    let form = put("application/x-www-form-urlencoded", b"name=x+y&name=z&q=%C3%A4".into()).await;
    assert_eq!(form["form"], json!({"name": ["x y", "z"], "q": ["ä"]}));
    assert_eq!(form["files"], json!({}));

    let mut parts = b"--limit\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\none\r\n".to_vec();
    parts.extend(b"--limit\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a.bin\"\r\n");
    parts.extend(b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--limit--\r\n");
    let parts = put("multipart/form-data; boundary=limit", parts).await;
    assert_eq!(parts["form"], json!({"title": ["one"]}));
    let picture = json!({"filename": "a.bin", "type": "image/png", "content": b"\x89PNG"});
    assert_eq!(parts["files"], json!({"picture": [picture]}));
    app.close().await;
}

#[tokio::test]
async fn a_function_that_fails_is_500_to_its_caller() {
    let Some(app) = start().await else { return };
    let response = app.request(Method::GET, "/api/orders/7?fail").send().await.unwrap();
    assert_eq!(response.status(), 500, "{}", app.log_text());
    assert_eq!(response.bytes().await.unwrap(), "");
    app.answer(app.request(Method::GET, "/api/orders/7")).await;
    app.close().await;
}
