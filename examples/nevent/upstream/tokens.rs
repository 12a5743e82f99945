use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::people::{Person, Role};

/// Who signs.
const ISSUER: &str = "https://id.nevent.example";

/// What tokens for this API name as their audience.
const API: &str = "https://api.nevent.example";

/// The tools that a login is for beside the API.
const TOOLS: &str = "https://tools.nevent.example/mcp";

/// The application through which people log in.
const CLIENT: &str = "nevent-desktop";

/// How long a token lives, in seconds.
const LIFE: u64 = 15 * 60;

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: Vec<String>,
    pub(crate) sub: String,
    client_id: String,
    pub(crate) role: Role,
    #[serde(rename = "tenantId", skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    iat: u64,
    exp: u64,
    jti: String,
}

/// A key of this run, which signs tokens and believes none that it has not signed.
pub(crate) struct Signer {
    header: Header,
    sign: EncodingKey,
    believe: DecodingKey,
    validation: Validation,
    jwks: Value,
}

impl Signer {
    /// Makes the key.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let document = document.context("no key can be made")?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref())
            .context("the key is not one")?;
        // After the byte that says "uncompressed".
        let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at_checked(32).context("the key is not one")?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        // A key of another run has another name.
        let kid = Uuid::new_v4().to_string();
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256" });
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(kid);
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[API]);
        Ok(Self {
            header,
            sign: EncodingKey::from_ec_der(document.as_ref()),
            believe: DecodingKey::from_ec_components(&x, &y)?,
            validation,
            jwks: json!({ "keys": [jwk] }),
        })
    }

    /// The public half, for those who are to believe the tokens.
    pub(crate) fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// What a login gives: for the tools, and for this API.
    pub(crate) fn login(&self, person: &Person) -> anyhow::Result<String> {
        self.token(person, person.tenant, &[TOOLS, API])
    }

    /// What a switch gives: for this API alone, at that tenant.
    pub(crate) fn switched(&self, person: &Person, tenant: &str) -> anyhow::Result<String> {
        self.token(person, Some(tenant), &[API])
    }

    fn token(
        &self,
        person: &Person,
        tenant: Option<&str>,
        audience: &[&str],
    ) -> anyhow::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: audience.iter().map(|&name| name.to_owned()).collect(),
            sub: person.name.to_owned(),
            client_id: CLIENT.to_owned(),
            role: person.role,
            tenant: tenant.map(str::to_owned),
            iat: now,
            exp: now + LIFE,
            jti: Uuid::new_v4().to_string(),
        };
        Ok(jsonwebtoken::encode(&self.header, &claims, &self.sign)?)
    }

    /// What a token says, if it was made here for this API and lives.
    pub(crate) fn believe(&self, token: &str) -> Option<Claims> {
        let data = jsonwebtoken::decode(token, &self.believe, &self.validation);
        data.ok().map(|data| data.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::Signer;
    use crate::people::person;

    #[test]
    fn a_token_is_believed_by_whoever_signed_it_alone() {
        let (signer, other) = (Signer::new().unwrap(), Signer::new().unwrap());
        let ada = person("ada").unwrap();
        let token = signer.switched(ada, "riviera-lisbon").unwrap();
        let claims = signer.believe(&token).unwrap();
        assert_eq!(
            (claims.sub.as_str(), claims.tenant.as_deref()),
            ("ada", Some("riviera-lisbon"))
        );
        assert!(other.believe(&token).is_none());
        assert!(signer.believe("no token").is_none());
        let login = signer.believe(&signer.login(ada).unwrap()).unwrap();
        assert_eq!(login.tenant.as_deref(), Some("riviera"));
    }
}
