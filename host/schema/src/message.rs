//! The words about a keyword that a value is not as.

use serde_json::Map;
use toolhost_policy::WorkLimit;

use crate::evaluate::{Evaluation, Instance};
use crate::keyword::Keyword;

/// A name in a message, in characters.
pub(crate) const MAX_NAME: usize = 64;

/// A value of the schema in a message, in bytes.
const MAX_EXPECTED: usize = 200;

impl Evaluation<'_, '_> {
    /// What a keyword demands that a value is not.
    pub(crate) fn of_leaf(
        &mut self,
        keyword: &Keyword,
        instance: Instance<'_>,
    ) -> Result<String, WorkLimit> {
        let members = instance.members();
        Ok(match keyword {
            Keyword::Type(types) => {
                let names: Vec<&str> = types.names().collect();
                match names.as_slice() {
                    [one] => format!("value is not of type \"{one}\""),
                    several => format!("value is not of types {}", several.join(", ")),
                }
            }
            Keyword::Const(expected) => {
                format!(
                    "{} was expected",
                    truncate(&expected.to_string(), MAX_EXPECTED)
                )
            }
            Keyword::Enum(choices) => format!("value is not one of {}", choices.display()),
            Keyword::Minimum(bound) => format!("value is less than the minimum of {bound}"),
            Keyword::Maximum(bound) => format!("value is greater than the maximum of {bound}"),
            Keyword::ExclusiveMinimum(bound) => {
                format!("value is less than or equal to the minimum of {bound}")
            }
            Keyword::ExclusiveMaximum(bound) => {
                format!("value is greater than or equal to the maximum of {bound}")
            }
            Keyword::MultipleOf(unit) => format!("value is not a multiple of {unit}"),
            Keyword::MinLength(least) => format!("value is shorter than {least} characters"),
            Keyword::MaxLength(most) => format!("value is longer than {most} characters"),
            Keyword::Pattern(_, text) => format!("value does not match {text}"),
            Keyword::MinItems(least) => format!("value has less than {least} items"),
            Keyword::MaxItems(most) => format!("value has more than {most} items"),
            Keyword::MinProperties(least) => format!("value has less than {least} properties"),
            Keyword::MaxProperties(most) => format!("value has more than {most} properties"),
            Keyword::UniqueItems => "value has non-unique elements".to_owned(),
            Keyword::Contains { min, max, .. } => match max {
                None => {
                    format!("value has less than {min} items of the kind that it must contain")
                }
                Some(max) => {
                    format!(
                        "value has less than {min} or more than {max} items of the kind that it must contain"
                    )
                }
            },
            Keyword::Required(names) => match members {
                Some(members) => required_message(self.first_missing(members, names)?),
                None => required_message(None),
            },
            Keyword::DependentRequired(dependent) => {
                let empty = Map::new();
                let members = members.unwrap_or(&empty);
                for (name, names) in dependent {
                    if members.contains_key(name)
                        && let Some(missing) = self.first_missing(members, names)?
                    {
                        return Ok(format!(
                            "{} where there is {}",
                            required_message(Some(missing)),
                            quote(name)
                        ));
                    }
                }
                required_message(None)
            }
            Keyword::Not(_) => "value fits what it must not fit".to_owned(),
            Keyword::Never => "nothing is allowed here".to_owned(),
            _ => "value does not fit".to_owned(),
        })
    }
}

fn required_message(name: Option<&String>) -> String {
    match name {
        Some(name) => format!("{} is a required property", quote(name)),
        None => "a required property is missing".to_owned(),
    }
}

/// That a member or an item is one too many.
pub(crate) fn unexpected_message(what: &str, name: &str) -> String {
    let name = quote(name);
    let name = name.trim_matches('"');
    format!("{what} are not allowed ('{name}' was unexpected)")
}

/// A name, cut, with what could act on a terminal escaped.
fn quote(name: &str) -> String {
    let cut: String = name.chars().take(MAX_NAME).collect();
    format!("{cut:?}")
}

fn truncate(text: &str, most: usize) -> &str {
    let end = (0..=text.len().min(most))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
