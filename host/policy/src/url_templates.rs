use crate::{BaseTemplate, HeaderTemplate};

/// What of a request's URL is filled from the credential's attributes, beside the headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UrlTemplates {
    /// The base, where it has places. [`crate::Connection::base`] is its [`BaseTemplate::sample`]
    /// then.
    pub base: Option<BaseTemplate>,
    /// Query pairs that the host adds to each request. No guest can set these keys.
    pub query: Vec<(String, HeaderTemplate)>,
}

impl UrlTemplates {
    /// The attributes it needs.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        let base = self.base.iter().flat_map(BaseTemplate::attributes);
        base.chain(
            self.query
                .iter()
                .flat_map(|(_, template)| template.attributes()),
        )
    }
}
