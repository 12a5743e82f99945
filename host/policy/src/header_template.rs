/// Why a header template is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace without its pair.
    #[error("has a brace without its pair")]
    Brace,
    /// A name that is not an attribute's.
    #[error("{{{0}}} is not the name of a credential attribute (a-z, 0-9 and _)")]
    Name(String),
    /// A character that no header value may have.
    #[error("has a character that a header value cannot have")]
    Character,
}

/// A header value with places for credential attributes, such as `acct-{external_tenant_id}`.
///
/// The list of variables is closed: attributes of the credential, never an argument of the model,
/// never the environment (E10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderTemplate {
    pieces: Vec<HeaderPiece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HeaderPiece {
    Literal(String),
    /// The name of an attribute.
    Attribute(String),
}

impl HeaderTemplate {
    /// Reads a template; `{{` and `}}` stand for braces.
    ///
    /// # Errors
    /// An unpaired brace, a name that is no attribute's, or a character outside visible ASCII and
    /// space.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if !text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
            return Err(TemplateError::Character);
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let (name, after) = from
                    .strip_prefix('{')
                    .and_then(|from| from.split_once('}'))
                    .ok_or(TemplateError::Brace)?;
                let fits = !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
                if !fits {
                    return Err(TemplateError::Name(name.chars().take(80).collect()));
                }
                if !literal.is_empty() {
                    pieces.push(HeaderPiece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(HeaderPiece::Attribute(name.to_owned()));
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(HeaderPiece::Literal(literal));
        }
        Ok(Self { pieces })
    }

    /// The attributes it needs.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            HeaderPiece::Attribute(name) => Some(name.as_str()),
            HeaderPiece::Literal(_) => None,
        })
    }

    /// Fills in the attributes.
    ///
    /// # Errors
    /// The name of the first attribute that `lookup` does not have.
    pub fn fill(&self, lookup: impl Fn(&str) -> Option<String>) -> Result<String, &str> {
        let mut value = String::new();
        for piece in &self.pieces {
            match piece {
                HeaderPiece::Literal(literal) => value.push_str(literal),
                HeaderPiece::Attribute(name) => value.push_str(&lookup(name).ok_or(name.as_str())?),
            }
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::{HeaderTemplate, TemplateError};

    #[test]
    fn a_template_is_filled_from_attributes_alone() {
        let template = HeaderTemplate::parse("acct-{external_tenant_id}{{x}}").unwrap();
        let value = template.fill(|name| (name == "external_tenant_id").then(|| "7".to_owned()));
        assert_eq!(value.unwrap(), "acct-7{x}");
        assert_eq!(template.fill(|_| None), Err("external_tenant_id"));
    }

    #[test]
    fn arguments_and_environment_are_no_attributes() {
        for text in ["{args.limit}", "{$HOME}", "{env:HOME}", "{A}", "{}"] {
            assert!(
                matches!(HeaderTemplate::parse(text), Err(TemplateError::Name(_))),
                "{text}"
            );
        }
        assert_eq!(HeaderTemplate::parse("{a"), Err(TemplateError::Brace));
        assert_eq!(HeaderTemplate::parse("a}"), Err(TemplateError::Brace));
        assert_eq!(
            HeaderTemplate::parse("a\r\nb"),
            Err(TemplateError::Character)
        );
    }
}
