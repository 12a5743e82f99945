//! Paths as templates that the host takes.

use crate::name::sanitised;
use crate::problem::Problem;
use crate::schema::has_slash;

/// The longest path that the host takes, in bytes.
const MAX: usize = 1_024;

/// A document's path, taken apart.
#[derive(Debug, Default, Clone)]
pub(super) struct Path {
    pub(super) pieces: Vec<TemplatePiece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TemplatePiece {
    Literal(String),
    /// The document's name, and the one in the template, which has fewer characters to choose from.
    Parameter {
        name: String,
        key: String,
        /// Its value may have several segments: `{+key}` in the template.
        is_several: bool,
    },
}

impl Path {
    /// # Errors
    /// What a filled-in path could not be held to: no `/` in front, empty or dotted segments, two
    /// places side by side or of one name, characters that a URL cannot hold.
    pub(super) fn parse(prefix: &str, path: &str) -> Result<Self, Problem> {
        let whole = format!("{prefix}{path}");
        if whole.len() > MAX {
            return Err(Problem::Path("is longer than 1,024 bytes"));
        }
        // A request for the path alone would be another one than the document means.
        if whole.contains('#') {
            return Err(Problem::Path("has a fragment (#), which is never sent"));
        }
        if whole.contains('?') {
            return Err(Problem::Path(
                "has a query (?), which is not part of a path",
            ));
        }
        let mut parsed = Self::default();
        parsed.read(&whole)?;
        parsed.check()?;
        Ok(parsed)
    }

    fn read(&mut self, path: &str) -> Result<(), Problem> {
        let mut rest = path;
        while !rest.is_empty() {
            let end = rest.find('{').unwrap_or(rest.len());
            let (literal, after) = rest.split_at(end);
            if !literal.is_empty() {
                self.pieces.push(TemplatePiece::Literal(literal.to_owned()));
            }
            let Some(after) = after.strip_prefix('{') else {
                break;
            };
            let (name, after) = after
                .split_once('}')
                .ok_or(Problem::Path("has a { without its }"))?;
            if matches!(self.pieces.last(), Some(TemplatePiece::Parameter { .. })) {
                return Err(Problem::Path("has two parameters side by side"));
            }
            let (name, is_several) = several(name);
            if self.names().any(|known| known == name) {
                return Err(Problem::Path("has a parameter twice"));
            }
            let key = self.free_key(name);
            self.pieces.push(TemplatePiece::Parameter {
                name: name.to_owned(),
                key,
                is_several,
            });
            rest = after;
        }
        Ok(())
    }

    fn free_key(&self, name: &str) -> String {
        let plain = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        let mut key = if plain {
            name.to_owned()
        } else {
            sanitised(name)
        };
        let taken = |key: &str| {
            self.pieces
                .iter()
                .any(|piece| matches!(piece, TemplatePiece::Parameter { key: known, .. } if known == key))
        };
        if key.is_empty() {
            key.push('p');
        }
        while taken(&key) {
            key.push('_');
        }
        key
    }

    /// The document's names of its parameters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            TemplatePiece::Parameter { name, .. } => Some(name.as_str()),
            TemplatePiece::Literal(_) => None,
        })
    }

    /// The host's own rules, so that no tool is offered that could never be called.
    fn check(&self) -> Result<(), Problem> {
        let literal =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
        for piece in &self.pieces {
            if let TemplatePiece::Literal(text) = piece
                && !text.bytes().all(literal)
            {
                return Err(Problem::Path(
                    "has a character that a path does not hold literally",
                ));
            }
        }
        let template = self.template();
        let Some(below) = template.strip_prefix('/') else {
            return Err(Problem::Path("does not begin with /"));
        };
        let last = below.split('/').count();
        for (index, segment) in below.split('/').enumerate() {
            if segment == "." || segment == ".." {
                return Err(Problem::Path("has a . or .. segment"));
            }
            if segment.is_empty() && index + 1 != last {
                return Err(Problem::Path("has an empty segment"));
            }
            if segment.contains("{+") && segment.matches('{').count() > 1 {
                return Err(Problem::Path(
                    "has another parameter in the segment of one of several segments",
                ));
            }
        }
        if below.matches("{+").count() > 1 {
            return Err(Problem::Path("has two parameters of several segments"));
        }
        Ok(())
    }

    /// Says of a parameter that its value may have several segments, where the template can be held
    /// to it then: alone in its segment, and the only one.
    pub(super) fn allow_several(&mut self, name: &str) {
        let mut changed = self.clone();
        for piece in &mut changed.pieces {
            match piece {
                TemplatePiece::Parameter {
                    name: known,
                    is_several,
                    ..
                } if known == name => *is_several = true,
                _ => {}
            }
        }
        if changed.check().is_ok() {
            *self = changed;
        }
    }

    /// Whether a parameter's value may have several segments.
    #[cfg(test)]
    fn is_several(&self, of: &str) -> bool {
        let is_it = |piece: &TemplatePiece| matches!(piece, TemplatePiece::Parameter { name, is_several: true, .. } if name == of);
        self.pieces.iter().any(is_it)
    }

    /// Puts a text in front of a parameter: what `label` and `matrix` write there.
    pub(super) fn put_before(&mut self, name: &str, text: &str) {
        let at = self.pieces.iter().position(
            |piece| matches!(piece, TemplatePiece::Parameter { name: n, .. } if n == name),
        );
        if let Some(at) = at {
            self.pieces
                .insert(at, TemplatePiece::Literal(text.to_owned()));
        }
    }

    pub(super) fn template(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                TemplatePiece::Literal(literal) => text.push_str(literal),
                TemplatePiece::Parameter {
                    key, is_several, ..
                } => {
                    text.push_str(if *is_several { "{+" } else { "{" });
                    text.push_str(key);
                    text.push('}');
                }
            }
        }
        text
    }
}

/// What a document writes between braces: the name, and whether it says there that the value may
/// have several segments (`{+path}` of RFC 6570, `{path*}`, `{path:path}`, `{path=**}` and
/// `{name=projects/*}` of gRPC transcoding). What stands behind a `:` is an expression or the name
/// of a type, which says several only where it lets a `/` through: `{id:[^/]+}` is one.
fn several(text: &str) -> (&str, bool) {
    let name = text.trim_start_matches(['+', '*']);
    let has_sign = name.len() != text.len();
    let text = name;
    if let Some((name, pattern)) = text.split_once(['=', ':'])
        && !name.trim().is_empty()
    {
        let pattern = pattern.trim();
        let is_several = match text.as_bytes().get(name.len()) {
            Some(b'=') => pattern.contains('/') || pattern.contains("**"),
            _ => matches!(pattern, "path" | ".*" | ".+") || has_slash(pattern),
        };
        return (name.trim(), has_sign || is_several);
    }
    let name = text.trim_end_matches('*');
    let name = name.strip_suffix("...").unwrap_or(name);
    (name, has_sign || name.len() != text.len())
}

#[cfg(test)]
mod tests {
    use super::Path;

    fn template(path: &str) -> Result<String, &'static str> {
        Path::parse("", path)
            .map(|path| path.template())
            .map_err(|problem| problem.code())
    }

    #[test]
    fn a_path_becomes_a_template_of_the_host() {
        assert_eq!(
            template("/pets/{petId}.json").unwrap(),
            "/pets/{petId}.json"
        );
        assert_eq!(
            template("/pets/{pet id}/{+rest}").unwrap(),
            "/pets/{pet_id}/{+rest}"
        );
        assert_eq!(template("/a/").unwrap(), "/a/");
        assert_eq!(Path::parse("/v2", "/a").unwrap().template(), "/v2/a");
    }

    #[test]
    fn a_parameter_of_several_segments_is_told_as_documents_write_it() {
        for (path, expected) in [
            ("/v1/{+name}:cancel", "/v1/{+name}:cancel"),
            ("/files/{path*}", "/files/{+path}"),
            ("/files/{*path}", "/files/{+path}"),
            ("/files/{path...}", "/files/{+path}"),
            ("/files/{p:path}", "/files/{+p}"),
            ("/files/{p:.*}", "/files/{+p}"),
            ("/v1/{name=projects/*/locations/*}/x", "/v1/{+name}/x"),
            ("/v1/{name=**}", "/v1/{+name}"),
            ("/v1/{id:a/[0-9]+}", "/v1/{+id}"),
            ("/v1/{**rest}", "/v1/{+rest}"),
            ("/v1/{*rest:alpha}", "/v1/{+rest}"),
        ] {
            assert_eq!(template(path).unwrap(), expected, "{path}");
        }
        for path in ["/{+a}/{+b}", "/{+a}-{b}"] {
            assert_eq!(template(path), Err("path"), "{path}");
        }
        // One segment, whatever is demanded of it.
        for written in [
            "{id:[^/]+}",
            "{id : [^/]+ }",
            "{id:[^/]*}",
            "{id:[^]/]+}",
            "{id:[^[:space:]/]+}",
            "{id:[0-9]*}",
            "{id:[a-z]+(\\.[^/]+)*}",
            "{id:int}",
            "{id=*}",
            "{id=[0-9]*}",
            "{id:**}",
        ] {
            assert_eq!(
                template(&format!("/x/{written}")).unwrap(),
                "/x/{id}",
                "{written}"
            );
        }
        let mut path = Path::parse("", "/{a}-{b}/{c}").unwrap();
        path.allow_several("a");
        assert!(!path.is_several("a"), "it could not be held to it");
        path.allow_several("c");
        assert_eq!(path.template(), "/{a}-{b}/{+c}");
    }

    #[test]
    fn a_path_that_the_host_could_not_hold_to_is_refused() {
        for path in [
            "",
            "a",
            "//a",
            "/a//b",
            "/../a",
            "/a/./b",
            "/{a}{b}",
            "/{a}/{a}",
            "/{a",
            "/a b",
            "/a%2fb",
            "/ż",
            "/a\\b",
            "/a?x={y}",
            "/d?x=1",
            "/d?",
            "/#Action=List",
            "/d#",
            "/a}b",
            "https://evil.example/",
        ] {
            assert_eq!(template(path), Err("path"), "{path}");
        }
    }
}
