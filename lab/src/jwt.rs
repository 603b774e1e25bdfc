//! The signing key of the local Microsoft Entra ID: makes tokens and checks that a token was made with it.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Claims of a token, as they stand in it.
pub type Claims = Map<String, Value>;

/// An RS256 key pair with its key id, or none.
pub struct SigningKey(Option<Pair>);

struct Pair {
    kid: String,
    private: EncodingKey,
    public: DecodingKey,
    modulus: String,
    exponent: String,
}

/// Why a key could not be made, or a token not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    /// The key pair could not be made.
    #[error("no RSA key pair could be made")]
    NoKey,
    /// The key is [`SigningKey::absent`].
    #[error("there is no key to sign with, and so no token that was signed with it")]
    Absent,
    /// The token could not be signed, is no JWT, or was not signed with this key.
    #[error(transparent)]
    Token(#[from] jsonwebtoken::errors::Error),
}

impl SigningKey {
    /// A fresh RSA key of 2,048 bits.
    ///
    /// # Errors
    /// [`JwtError::NoKey`] when the cryptographic library fails to make one.
    pub fn generate() -> Result<Self, JwtError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| JwtError::NoKey)?;
        let pkcs8 = pair.as_der().map_err(|_| JwtError::NoKey)?;
        // `EncodingKey::from_rsa_der` takes PKCS#1 only, its PEM reader unwraps PKCS#8 too.
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(pkcs8.as_ref())
        );
        let components = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let modulus = URL_SAFE_NO_PAD.encode(&components.n);
        let exponent = URL_SAFE_NO_PAD.encode(&components.e);
        Ok(Self(Some(Pair {
            kid: Uuid::new_v4().simple().to_string(),
            private: EncodingKey::from_rsa_pem(pem.as_bytes())?,
            public: DecodingKey::from_rsa_components(&modulus, &exponent)?,
            modulus,
            exponent,
        })))
    }

    /// No key: nothing is signed with it, so no token is taken. For a part that runs without a token service, and at
    /// once: making a key takes longer than all else.
    pub fn absent() -> Self {
        Self(None)
    }

    /// A signed token with `claims`.
    ///
    /// # Errors
    /// [`JwtError::Token`] when the claims cannot be written as JSON, [`JwtError::Absent`] when there is no key.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, JwtError> {
        let pair = self.0.as_ref().ok_or(JwtError::Absent)?;
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(pair.kid.clone());
        Ok(jsonwebtoken::encode(&header, claims, &pair.private)?)
    }

    /// The claims of `token` if this key signed it. What the claims say, its time among them, is for the caller to
    /// judge.
    ///
    /// # Errors
    /// [`JwtError::Token`] when it is no JWT, or another key signed it; [`JwtError::Absent`] when there is no key.
    pub fn verify(&self, token: &str) -> Result<Claims, JwtError> {
        let pair = self.0.as_ref().ok_or(JwtError::Absent)?;
        let mut signature_only = Validation::new(Algorithm::RS256);
        signature_only.required_spec_claims.clear();
        signature_only.validate_exp = false;
        signature_only.validate_aud = false;
        Ok(jsonwebtoken::decode::<Claims>(token, &pair.public, &signature_only)?.claims)
    }

    /// The public half as a JSON Web Key, null when there is no key. <https://www.rfc-editor.org/rfc/rfc7517>
    pub fn jwk(&self) -> Value {
        let Some(Pair { kid, modulus, exponent, .. }) = &self.0 else { return Value::Null };
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": modulus, "e": exponent})
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kid = self.0.as_ref().map(|pair| &pair.kid);
        f.debug_struct("SigningKey").field("kid", &kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_verifies_by_the_key_that_signed_it_and_by_no_other() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let token = key.sign(&json!({"iss": "here", "exp": 1})).unwrap();
        assert_eq!(key.verify(&token).unwrap()["iss"], "here");
        assert!(other.verify(&token).is_err());
        assert!(key.verify("not a token").is_err());
        let absent = SigningKey::absent();
        assert!(matches!(absent.sign(&json!({})), Err(JwtError::Absent)));
        assert!(matches!(absent.verify(&token), Err(JwtError::Absent)));
    }
}
