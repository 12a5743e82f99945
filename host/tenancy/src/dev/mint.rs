use std::time::Duration;

use serde_json::{Map, Value, json};
use toolhost_identity::{ClaimPointer, PrincipalKind};

use super::{DevKey, DevKeyError};

/// The longest life of a development token.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// What a development token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintRequest {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// `sub`.
    pub subject: String,
    /// The tenant, at `tenant_claim`.
    pub tenant: Option<String>,
    /// JSON pointer.
    pub tenant_claim: String,
    /// The role, at `role_claim`.
    pub role: Option<String>,
    /// JSON pointer.
    pub role_claim: String,
    /// `scope`.
    pub scopes: Vec<String>,
    /// `client_id`.
    pub client: Option<String>,
    /// A machine's token has `gty` = `client-credentials`.
    pub kind: PrincipalKind,
    /// How long it lives.
    pub ttl: Duration,
}

impl MintRequest {
    /// A person's token of one hour, with the tenant at `/tenantId` and the role at `/role`.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        subject: impl Into<String>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            subject: subject.into(),
            tenant: None,
            tenant_claim: "/tenantId".into(),
            role: None,
            role_claim: "/role".into(),
            scopes: vec![],
            client: None,
            kind: PrincipalKind::User,
            ttl: Duration::from_secs(60 * 60),
        }
    }
}

impl DevKey {
    /// Signs a token (RFC 9068) that begins `now`, in Unix seconds.
    ///
    /// # Errors
    /// The life is zero or too long, or a claim has no place of its own.
    pub fn mint(&self, request: &MintRequest, now: u64) -> Result<String, DevKeyError> {
        let ttl = request.ttl.as_secs();
        if ttl == 0 || request.ttl > MAX_TTL {
            return Err(DevKeyError::Ttl);
        }
        let mut claims = Map::new();
        for (name, value) in [
            ("iss", json!(request.issuer)),
            ("aud", json!(request.audience)),
            ("sub", json!(request.subject)),
            ("iat", json!(now)),
            ("nbf", json!(now)),
            ("exp", json!(now.saturating_add(ttl))),
        ] {
            claims.insert(name.into(), value);
        }
        if let Some(client) = &request.client {
            claims.insert("client_id".into(), json!(client));
        }
        if !request.scopes.is_empty() {
            claims.insert("scope".into(), json!(request.scopes.join(" ")));
        }
        if request.kind == PrincipalKind::Machine {
            claims.insert("gty".into(), json!("client-credentials"));
        }
        for (pointer, value) in [
            (&request.tenant_claim, &request.tenant),
            (&request.role_claim, &request.role),
        ] {
            if let Some(value) = value {
                insert_claim(&mut claims, pointer, value)?;
            }
        }
        self.sign(
            &json!({"alg": "ES256", "typ": "at+jwt", "kid": self.kid()}),
            &Value::Object(claims),
        )
    }
}

/// Puts a text where the pointer says, and never over another claim.
fn insert_claim(
    claims: &mut Map<String, Value>,
    pointer: &str,
    value: &str,
) -> Result<(), DevKeyError> {
    let pointer = ClaimPointer::parse(pointer).map_err(|_| DevKeyError::Claim)?;
    let (last, way) = pointer.names().split_last().ok_or(DevKeyError::Claim)?;
    let mut at = claims;
    for name in way {
        at = at
            .entry(name.as_str())
            .or_insert_with(|| Value::Object(Map::new()))
            .as_object_mut()
            .ok_or(DevKeyError::Claim)?;
    }
    match at.insert(last.clone(), json!(value)) {
        None => Ok(()),
        Some(_) => Err(DevKeyError::Claim),
    }
}
