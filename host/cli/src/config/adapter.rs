//! The keys of `[connections.NAME]` that make tools of a described system, and `[adapters.NAME]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use toml::Spanned;
use toolhost_net::AddressPolicy;
use toolhost_policy::{ConnectionName, PluginName, Slashes};
use url::Url;

use super::config_text::ConfigText;
use super::{ConfigError, file};

/// What a connection's base reads as until its document has proposed one and an operator has said
/// yes to it. Nothing is there, and never will be (RFC 6761 section 6.4).
pub(crate) const UNAPPROVED_BASE: &str = "https://unapproved.invalid/";

/// A connection whose tools come from an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdapterSettings {
    /// Which adapter.
    pub(crate) adapter: PluginName,
    /// Where the system is described; it is asked itself where there is none.
    pub(crate) spec: Option<Spec>,
    /// The operator wrote no base: the document's stands, once it is approved.
    pub(crate) takes_base: bool,
    /// Which operations or tools, by their names.
    pub(crate) choice: ToolFilter,
    /// `strict_output`.
    pub(crate) strict_output: bool,
    /// `path_parameters`: which values of path parameters may hold a `/`, by operation (`*`: each
    /// that has the parameter) and parameter.
    pub(crate) path_parameters: BTreeMap<String, BTreeMap<String, Slashes>>,
    /// For errors: `operations` or `tools`, with its place in the file.
    pub(crate) at: String,
}

/// Where a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spec {
    /// On this machine.
    File(PathBuf),
    /// Fetched at each start.
    Url(Url),
}

/// `operations` or `tools`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolFilter {
    /// All that there are.
    All,
    /// These.
    Allow(BTreeSet<String>),
    /// All but these.
    Block(BTreeSet<String>),
}

/// The base as the operator wrote it, under either of its names.
///
/// # Errors
/// It is there twice, not at all, or as `url` of a connection that no adapter serves.
pub(super) fn base(
    source: &ConfigText<'_>,
    at: &str,
    whole: &Spanned<()>,
    raw: &file::ConnectionTable,
) -> Result<Spanned<String>, ConfigError> {
    match (&raw.base, &raw.url) {
        (Some(_), Some(url)) => Err(source.at(
            url,
            format!("{at}.url"),
            format!("says what {at}.base says; keep one"),
        )),
        (None, Some(url)) if raw.adapter.is_none() => {
            let why = format!(
                "is where an adapter finds its system; write {at}.base, or set {at}.adapter"
            );
            Err(source.at(url, format!("{at}.url"), why))
        }
        (Some(base), None) | (None, Some(base)) => Ok(base.clone()),
        (None, None) if raw.adapter.is_some() && raw.spec.is_some() => {
            Ok(Spanned::new(whole.span(), UNAPPROVED_BASE.to_owned()))
        }
        (None, None) => Err(source.at(
            whole,
            format!("{at}.base"),
            "is missing: where the system is",
        )),
    }
}

/// The adapter of a connection, where it has one.
///
/// # Errors
/// Keys that need another one, or that exclude each other.
pub(super) fn settings(
    source: &ConfigText<'_>,
    name: &ConnectionName,
    spanned: &Spanned<file::ConnectionTable>,
) -> Result<Option<AdapterSettings>, ConfigError> {
    let (at, raw) = (format!("connections.{name}"), spanned.get_ref());
    let Some(adapter) = &raw.adapter else {
        let needs = |key: &str| format!("has no meaning without {at}.adapter (for {key})");
        let alone = [("spec", raw.spec.as_ref().map(Spanned::span))];
        let choices = [("operations", &raw.operations), ("tools", &raw.tools)];
        let chosen = choices.map(|(key, choice)| (key, choice.as_ref().map(Spanned::span)));
        let strict = [(
            "strict_output",
            raw.strict_output.as_ref().map(Spanned::span),
        )];
        let offered = [(
            "offered_arguments",
            raw.offered_arguments.as_ref().map(Spanned::span),
        )];
        let paths = [(
            "path_parameters",
            raw.path_parameters.as_ref().map(Spanned::span),
        )];
        for (key, span) in alone
            .into_iter()
            .chain(chosen)
            .chain(strict)
            .chain(paths)
            .chain(offered)
        {
            if let Some(span) = span {
                return Err(source.at(&Spanned::new(span, ()), format!("{at}.{key}"), needs(key)));
            }
        }
        return Ok(None);
    };
    let parsed = PluginName::parse(adapter.get_ref())
        .map_err(|why| source.at(adapter, format!("{at}.adapter"), why))?;
    let spec = raw
        .spec
        .as_ref()
        .map(|spec| self::spec(source, &at, raw, spec))
        .transpose()?;
    let (key, chosen) = match (&raw.operations, &raw.tools) {
        (Some(_), Some(tools)) => {
            let why = format!("says what {at}.operations says; keep one");
            return Err(source.at(tools, format!("{at}.tools"), why));
        }
        (Some(operations), None) => ("operations", Some(operations)),
        (None, tools) => ("tools", tools.as_ref()),
    };
    let choice = match chosen {
        None => ToolFilter::All,
        Some(chosen) => choice(source, &format!("{at}.{key}"), chosen)?,
    };
    Ok(Some(AdapterSettings {
        adapter: parsed,
        takes_base: raw.base.is_none() && raw.url.is_none(),
        spec,
        choice,
        strict_output: raw
            .strict_output
            .as_ref()
            .is_some_and(|strict| *strict.get_ref()),
        path_parameters: raw
            .path_parameters
            .as_ref()
            .map(|all| all.get_ref().clone())
            .unwrap_or_default(),
        at: format!("{at}.{key}"),
    }))
}

fn spec(
    source: &ConfigText<'_>,
    at: &str,
    raw: &file::ConnectionTable,
    spec: &Spanned<String>,
) -> Result<Spec, ConfigError> {
    let text = spec.get_ref();
    let refuse = |why: String| source.at(spec, format!("{at}.spec"), why);
    if !text.contains("://") {
        return Ok(Spec::File(source.resolve_path(text)));
    }
    let url = Url::parse(text).map_err(|why| refuse(why.to_string()))?;
    match url.scheme() {
        "https" => {}
        "http" if raw.allow_http => {}
        "http" => {
            return Err(refuse(format!(
                "http:// lets whoever is between change the document; set {at}.allow_http = true if that is meant"
            )));
        }
        other => return Err(refuse(format!("{other}: is neither https nor http"))),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("has a user or password".to_owned()));
    }
    let policy = AddressPolicy {
        allow_loopback: raw.allow_loopback,
        allow_private: raw.allow_private,
    };
    super::reachable(&url, &policy, at).map_err(refuse)?;
    Ok(Spec::Url(url))
}

fn choice(
    source: &ConfigText<'_>,
    key: &str,
    chosen: &Spanned<file::ToolFilterTable>,
) -> Result<ToolFilter, ConfigError> {
    let raw = chosen.get_ref();
    let names = |names: &Vec<String>| names.iter().cloned().collect();
    match (&raw.allow, &raw.block) {
        (Some(allow), None) => Ok(ToolFilter::Allow(names(allow))),
        (None, Some(block)) => Ok(ToolFilter::Block(names(block))),
        _ => Err(source.at(chosen, key, "takes exactly one of allow and block")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Spec, ToolFilter, UNAPPROVED_BASE};
    use crate::config::read::parse;

    fn error(tables: &str) -> String {
        parse(Path::new("/etc/host.toml"), tables)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_document_its_operations_and_its_base_are_read() {
        let config = parse(
            Path::new("/etc/host.toml"),
            "[adapters.openapi]\nfile = 'openapi.wasm'\n[connections.a]\nadapter = 'openapi'\nspec = 'a.json'\noperations = { allow = ['x', 'y'] }\n[connections.b]\nadapter = 'openapi'\nbase = 'https://b.example'\nspec = 'https://b.example/openapi.json'\noperations = { block = ['x'] }\nstrict_output = true\n[connections.c]\nadapter = 'mcp'\nurl = 'https://c.example/mcp'\ntools = { allow = ['x'] }\n[connections.d]\nbase = 'https://d.example'\n",
        )
        .unwrap();
        let of = |name: &str| {
            config
                .adapters
                .iter()
                .find(|(known, _)| known.as_str() == name)
                .map(|(_, a)| a)
        };
        let base = |name: &str| {
            let mut connections = config.connections.values();
            connections
                .find(|known| known.name.as_str() == name)
                .unwrap()
                .base
                .to_string()
        };
        let a = of("a").unwrap();
        assert_eq!(a.spec, Some(Spec::File("/etc/a.json".into())));
        assert!(a.takes_base && base("a") == UNAPPROVED_BASE && !a.strict_output);
        assert_eq!(
            a.choice,
            ToolFilter::Allow(["x".to_owned(), "y".to_owned()].into())
        );
        let b = of("b").unwrap();
        assert!(!b.takes_base && b.strict_output && matches!(b.spec, Some(Spec::Url(_))));
        assert_eq!(b.choice, ToolFilter::Block(["x".to_owned()].into()));
        let c = of("c").unwrap();
        assert!(c.spec.is_none() && !c.takes_base && base("c") == "https://c.example/mcp");
        assert!(of("d").is_none());
        assert_eq!(
            config.adapter_files.values().next().unwrap(),
            Path::new("/etc/openapi.wasm")
        );
    }

    #[test]
    fn keys_that_have_no_meaning_or_exclude_each_other_are_named() {
        let with = |lines: &str| error(&format!("[connections.a]\n{lines}\n"));
        for (lines, says) in [
            (
                "base = 'https://a.example'\nspec = 'a.json'",
                "connections.a.spec",
            ),
            (
                "base = 'https://a.example'\noperations = { allow = [] }",
                "connections.a.operations",
            ),
            (
                "base = 'https://a.example'\nstrict_output = true",
                "connections.a.strict_output",
            ),
            (
                "base = 'https://a.example'\npath_parameters = { x = { id = 'encoded' } }",
                "connections.a.path_parameters",
            ),
            (
                "adapter = 'o'\nspec = 'a'\npath_parameters = { x = { id = 'any' } }",
                "segments",
            ),
            ("url = 'https://a.example'", "connections.a.url"),
            ("adapter = 'mcp'", "connections.a.base: is missing"),
            (
                "adapter = 'mcp'\nurl = 'https://a.example'\nbase = 'https://a.example'",
                "keep one",
            ),
            (
                "adapter = 'o'\nspec = 'a'\noperations = { }",
                "exactly one of allow and block",
            ),
            (
                "adapter = 'o'\nspec = 'a'\noperations = { allow = [], block = [] }",
                "exactly one",
            ),
            (
                "adapter = 'o'\nspec = 'a'\noperations = { allow = [] }\ntools = { allow = [] }",
                "keep one",
            ),
            (
                "adapter = 'o'\nspec = 'a'\noperations = { alow = [] }",
                "did you mean allow",
            ),
            ("adapter = 'O'\nspec = 'a'", "connections.a.adapter"),
            ("adapter = 'o'\nspec = 'http://a.example/x'", "allow_http"),
            (
                "adapter = 'o'\nspec = 'https://127.0.0.1/x'",
                "allow_loopback",
            ),
            (
                "adapter = 'o'\nspec = 'https://u:p@a.example/x'",
                "user or password",
            ),
            (
                "adapter = 'o'\nspec = 'file:///x'",
                "neither https nor http",
            ),
            ("adaptor = 'o'\nspec = 'a'", "did you mean adapter"),
        ] {
            let error = with(lines);
            assert!(error.contains(says), "{lines}: {error}");
        }
    }
}
