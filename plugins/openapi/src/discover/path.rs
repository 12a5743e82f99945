//! Paths as templates that the host takes.

use crate::name::sanitised;
use crate::problem::Problem;

/// As long as the host takes.
const MAX: usize = 1_024;

/// A document's path, taken apart.
#[derive(Debug, Default, Clone)]
pub(super) struct Path {
    pub(super) pieces: Vec<Piece>,
    /// What stands behind a `?` in it.
    pub(super) fixed: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    /// The document's name, and the one in the template, which has fewer characters to choose from.
    Parameter {
        name: String,
        key: String,
    },
}

impl Path {
    /// # Errors
    /// What a filled-in path could not be held to: no `/` in front, empty or dotted segments, two places side by side or
    /// of one name, characters that a URL cannot hold.
    pub(super) fn parse(prefix: &str, path: &str) -> Result<Self, Problem> {
        let whole = format!("{prefix}{path}");
        if whole.len() > MAX {
            return Err(Problem::Path("is longer than 1,024 bytes"));
        }
        // A fragment is never sent; some documents use it to tell operations of one path apart.
        let sent = whole.split_once('#').map_or(whole.as_str(), |(sent, _)| sent);
        let (path, query) = sent
            .split_once('?')
            .map_or((sent, None), |(path, query)| (path, Some(query)));
        let mut parsed = Self {
            fixed: fixed(query.unwrap_or_default())?,
            ..Self::default()
        };
        parsed.read(path)?;
        parsed.check()?;
        Ok(parsed)
    }

    fn read(&mut self, path: &str) -> Result<(), Problem> {
        let mut rest = path;
        while !rest.is_empty() {
            let end = rest.find('{').unwrap_or(rest.len());
            let (literal, after) = rest.split_at(end);
            if !literal.is_empty() {
                self.pieces.push(Piece::Literal(literal.to_owned()));
            }
            let Some(after) = after.strip_prefix('{') else {
                break;
            };
            let (name, after) = after
                .split_once('}')
                .ok_or(Problem::Path("has a { without its }"))?;
            if matches!(self.pieces.last(), Some(Piece::Parameter { .. })) {
                return Err(Problem::Path("has two parameters side by side"));
            }
            if self.names().any(|known| known == name) {
                return Err(Problem::Path("has a parameter twice"));
            }
            let key = self.free_key(name);
            self.pieces.push(Piece::Parameter {
                name: name.to_owned(),
                key,
            });
            rest = after;
        }
        Ok(())
    }

    fn free_key(&self, name: &str) -> String {
        let plain = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        let mut key = if plain { name.to_owned() } else { sanitised(name) };
        let taken = |key: &str| {
            self.pieces
                .iter()
                .any(|piece| matches!(piece, Piece::Parameter { key: known, .. } if known == key))
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
            Piece::Parameter { name, .. } => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The host's own rules, so that no tool is offered that could never be called.
    fn check(&self) -> Result<(), Problem> {
        let literal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
        for piece in &self.pieces {
            if let Piece::Literal(text) = piece
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
        }
        Ok(())
    }

    /// Puts a text in front of a parameter: what `label` and `matrix` write there.
    pub(super) fn put_before(&mut self, name: &str, text: &str) {
        let at = self
            .pieces
            .iter()
            .position(|piece| matches!(piece, Piece::Parameter { name: n, .. } if n == name));
        if let Some(at) = at {
            self.pieces.insert(at, Piece::Literal(text.to_owned()));
        }
    }

    pub(super) fn template(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Parameter { key, .. } => {
                    text.push('{');
                    text.push_str(key);
                    text.push('}');
                }
            }
        }
        text
    }
}

fn fixed(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let plain = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~:,".contains(&b))
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key.is_empty() || !plain(key) || !plain(value) {
                return Err(Problem::Path("has a query that is no plain name=value"));
            }
            Ok((key.to_owned(), value.to_owned()))
        })
        .collect()
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
        assert_eq!(template("/pets/{petId}.json").unwrap(), "/pets/{petId}.json");
        assert_eq!(
            template("/pets/{pet id}/{+rest}").unwrap(),
            "/pets/{pet_id}/{rest}"
        );
        assert_eq!(template("/a/").unwrap(), "/a/");
        assert_eq!(template("/#Action=List").unwrap(), "/");
        assert_eq!(Path::parse("/v2", "/a").unwrap().template(), "/v2/a");
        let path = Path::parse("", "/a?action=list&x").unwrap();
        assert_eq!(
            path.fixed,
            [("action".into(), "list".into()), ("x".into(), String::new())]
        );
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
            "/a}b",
            "https://evil.example/",
        ] {
            assert_eq!(template(path), Err("path"), "{path}");
        }
    }
}
