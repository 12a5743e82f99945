use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use toolhost_policy::ConnectionName;
use url::Url;

use crate::{
    Credential, CredentialError, CredentialKey, CredentialProvider, CredentialRequest, RefreshToken,
};

/// Access tokens to accounts that users connected themselves.
///
/// It gives what [`RefreshToken`] gives, and says where an account that is not there yet is
/// connected.
pub struct UserAccounts {
    tokens: RefreshToken,
    /// The host's own, where it serves browsers.
    public_url: Option<Url>,
}

impl UserAccounts {
    /// `public_url` is the URL of the host's MCP endpoint, beside which the pages are; `None` where
    /// it serves none.
    #[must_use]
    pub fn new(tokens: RefreshToken, public_url: Option<Url>) -> Self {
        Self { tokens, public_url }
    }

    /// A page of a connection: `login`, or `callback`, where an authorization server sends its
    /// users back to.
    #[must_use]
    pub fn page(public_url: &Url, connection: &ConnectionName, page: &str) -> Option<Url> {
        let mut url = public_url
            .join(&format!("connections/{connection}/{page}"))
            .ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    }
}

#[async_trait]
impl CredentialProvider for UserAccounts {
    async fn fetch(
        &self,
        request: CredentialRequest<'_>,
    ) -> Result<Arc<Credential>, CredentialError> {
        self.tokens.fetch(request).await
    }

    fn evict(&self, key: &CredentialKey, version: u64) {
        self.tokens.evict(key, version);
    }

    fn connect_at(&self, connection: &ConnectionName) -> Option<Url> {
        Self::page(self.public_url.as_ref()?, connection, "login")
    }
}

impl fmt::Debug for UserAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use toolhost_policy::ConnectionName;

    use super::UserAccounts;

    #[test]
    fn the_pages_stand_beside_the_mcp_endpoint() {
        let crm = ConnectionName::parse("crm").unwrap();
        for (public, page) in [
            (
                "https://tools.example.com/mcp",
                "https://tools.example.com/connections/crm/login",
            ),
            (
                "https://x.example.com/tools/mcp?a#b",
                "https://x.example.com/tools/connections/crm/login",
            ),
            (
                "http://127.0.0.1:8080/mcp",
                "http://127.0.0.1:8080/connections/crm/login",
            ),
        ] {
            let url = UserAccounts::page(&public.parse().unwrap(), &crm, "login").unwrap();
            assert_eq!(url.as_str(), page);
        }
    }
}
