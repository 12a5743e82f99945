//! `[store]`: which store what lasts is in.

use std::path::PathBuf;

use toml::Spanned;
use toolhost_policy::Secret;
use toolhost_store::postgres::{Layout, Prefix};
use toolhost_vault::SecretSource;
use url::Url;
use zeroize::Zeroizing;

use super::config_text::ConfigText;
use super::{ConfigError, file};

/// Making a tenant takes three connections, and calls go on meanwhile.
const MIN_POOL: usize = 4;

/// A server has 100 by default, for all hosts together; one with more has memory for some hundreds.
const MAX_POOL: usize = 256;

/// `[store]` with `kind = "postgres"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postgres {
    pub(crate) url: PostgresUrl,
    /// The whole URL of where the keys are, when not in the same database.
    pub(crate) keys_url: Option<SecretSource>,
    /// Connections; the store's own default where it is not set.
    pub(crate) pool: Option<usize>,
    pub(crate) layout: Layout,
    pub(crate) prefix: Prefix,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) allow_plaintext: bool,
}

/// Where the server is, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PostgresUrl {
    /// With the password in it, so it is a secret.
    Whole(SecretSource),
    /// The password apart.
    Parts {
        url: Url,
        password: Option<SecretSource>,
    },
}

/// What `[store]` says; nothing where the store is the embedded one.
///
/// # Errors
/// A key is wrong, stands beside another that says the same, or has no meaning for the kind.
pub(super) fn store(
    source: &ConfigText<'_>,
    raw: Option<file::StoreTable>,
) -> Result<Option<Postgres>, ConfigError> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    match raw.kind.get_ref().as_str() {
        "embedded" => check_embedded(source, &raw).map(|()| None),
        "postgres" => postgres(source, raw).map(Some),
        _ => Err(source.at(&raw.kind, "store.kind", "is not embedded or postgres")),
    }
}

fn check_embedded(source: &ConfigText<'_>, raw: &file::StoreTable) -> Result<(), ConfigError> {
    let texts = [
        ("url", &raw.url),
        ("url_file", &raw.url_file),
        ("url_env", &raw.url_env),
        ("password_file", &raw.password_file),
        ("password_env", &raw.password_env),
        ("keys_url_file", &raw.keys_url_file),
        ("keys_url_env", &raw.keys_url_env),
        ("layout", &raw.layout),
        ("prefix", &raw.prefix),
        ("ca_file", &raw.ca_file),
    ];
    let why = "has no meaning with store.kind = \"embedded\"";
    for (key, value) in texts {
        if let Some(value) = value {
            return Err(source.at(value, format!("store.{key}"), why));
        }
    }
    if let Some(pool) = &raw.pool {
        return Err(source.at(pool, "store.pool", why));
    }
    match &raw.allow_plaintext {
        Some(allowed) => Err(source.at(allowed, "store.allow_plaintext", why)),
        None => Ok(()),
    }
}

fn postgres(source: &ConfigText<'_>, raw: file::StoreTable) -> Result<Postgres, ConfigError> {
    if let Some(pool) = &raw.pool
        && !(MIN_POOL..=MAX_POOL).contains(pool.get_ref())
    {
        let why = format!("is not from {MIN_POOL} to {MAX_POOL} connections");
        return Err(source.at(pool, "store.pool", why));
    }
    let layout = match &raw.layout {
        None => Layout::default(),
        Some(said) => match said.get_ref().as_str() {
            "schema" => Layout::Schema,
            "database" => Layout::Database,
            _ => return Err(source.at(said, "store.layout", "is not schema or database")),
        },
    };
    let prefix = match &raw.prefix {
        None => Prefix::default(),
        Some(said) => {
            Prefix::parse(said.get_ref()).map_err(|why| source.at(said, "store.prefix", why))?
        }
    };
    let keys_url = read_secret_source(source, "keys_url", raw.keys_url_file, raw.keys_url_env)?;
    let password = read_secret_source(source, "password", raw.password_file, raw.password_env)?;
    let whole = read_secret_source(source, "url", raw.url_file, raw.url_env)?;
    let url = match (raw.url, whole) {
        (Some(url), None) => PostgresUrl::Parts {
            url: read_url(source, &url, password.is_some())?,
            password,
        },
        (None, Some(_)) if password.is_some() => {
            let why =
                "stands beside a whole URL of url_file or url_env, which has the password in it";
            return Err(source.at(&raw.kind, "store.password_file", why));
        }
        (None, Some(whole)) => PostgresUrl::Whole(whole),
        (Some(url), Some(_)) => {
            return Err(source.at(
                &url,
                "store.url",
                "stands beside url_file or url_env; keep one",
            ));
        }
        (None, None) => {
            let why = "\"postgres\" needs url, url_file or url_env";
            return Err(source.at(&raw.kind, "store.kind", why));
        }
    };
    Ok(Postgres {
        url,
        keys_url,
        pool: raw.pool.map(Spanned::into_inner),
        layout,
        prefix,
        ca: raw.ca_file.map(|path| source.resolve_path(path.get_ref())),
        allow_plaintext: raw.allow_plaintext.is_some_and(Spanned::into_inner),
    })
}

/// `NAME_file` or `NAME_env`.
fn read_secret_source(
    source: &ConfigText<'_>,
    name: &str,
    file: Option<Spanned<String>>,
    variable: Option<Spanned<String>>,
) -> Result<Option<SecretSource>, ConfigError> {
    match (file, variable) {
        (None, None) => Ok(None),
        (Some(file), None) => Ok(Some(SecretSource::File(
            source.resolve_path(file.get_ref()),
        ))),
        (None, Some(variable)) => Ok(Some(SecretSource::Env(variable.into_inner()))),
        (Some(_), Some(variable)) => {
            let why = format!("stands beside {name}_file; keep one");
            Err(source.at(&variable, format!("store.{name}_env"), why))
        }
    }
}

/// A URL that may stand in the file. What is wrong with one is said without it: it may have the
/// password in it.
fn read_url(
    source: &ConfigText<'_>,
    said: &Spanned<String>,
    takes_password: bool,
) -> Result<Url, ConfigError> {
    let refuse = |why: &str| source.at(said, "store.url", why);
    // In memory the text of the file is what it is; what is refused here is that it stands there at
    // all.
    let url = Url::parse(said.get_ref()).map_err(|_| refuse("is not a URL"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(refuse("does not begin with postgres://"));
    }
    let in_query = url.query_pairs().any(|(name, _)| name == "password");
    if url.password().is_some() || in_query {
        return Err(refuse(
            "has the password in it, which is never in this file: give password_file, password_env, url_file or url_env",
        ));
    }
    if takes_password && (url.host_str().is_none_or(str::is_empty) || url.username().is_empty()) {
        return Err(refuse(
            "names no user or no host that a password could be for: name them, or give the whole URL in url_file",
        ));
    }
    Ok(url)
}

impl PostgresUrl {
    /// The URL with its password; `read` reads a secret, for the key that names it.
    ///
    /// # Errors
    /// Of `read`.
    pub(crate) fn resolve<E>(
        &self,
        read: impl Fn(&str, &SecretSource) -> Result<Secret, E>,
    ) -> Result<Secret, E> {
        match self {
            Self::Whole(secret) => read("store.url", secret),
            Self::Parts {
                url,
                password: None,
            } => Ok(Secret::from(url.to_string())),
            Self::Parts {
                url,
                password: Some(secret),
            } => {
                let password = read("store.password", secret)?;
                let mut url = url.clone();
                // Read as text. A URL's own encoding leaves what looks like an escape as it is.
                let text = std::str::from_utf8(password.expose()).unwrap_or_default();
                let text = Zeroizing::new(text.replace('%', "%25"));
                // It was checked that there is a host for it.
                let _ = url.set_password(Some(&text));
                Ok(Secret::from(String::from(url)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use toolhost_policy::Secret;
    use toolhost_store::postgres::Layout;

    use super::super::read::parse;
    use super::{Postgres, PostgresUrl};

    fn read(lines: &str) -> Result<Option<Postgres>, String> {
        let text = format!("[store]\n{lines}");
        let config =
            parse(Path::new("conf/host.toml"), &text).map_err(|error| error.to_string())?;
        Ok(config.postgres)
    }

    fn whole(lines: &str, secret: &str) -> String {
        let Some(Postgres { url, .. }) = read(lines).unwrap() else {
            panic!("it is embedded")
        };
        let secret = url.resolve(|_, _| Ok::<_, ()>(Secret::from(secret.to_owned())));
        String::from_utf8(secret.unwrap().expose().to_vec()).unwrap()
    }

    #[test]
    fn the_password_comes_from_elsewhere_and_is_put_in_whatever_it_holds() {
        let apart = "kind = 'postgres'\nurl = 'postgres://u@db.example/d?sslmode=verify-full'\npassword_env = 'P'";
        let url = whole(apart, "a b/@:?#%'");
        let read_back: tokio_like::Parts = tokio_like::parts(&url);
        assert_eq!(read_back.password, "a b/@:?#%'");
        assert_eq!(read_back.host, "db.example");
        assert!(url.ends_with("sslmode=verify-full"), "{url}");
        assert_eq!(
            whole("kind = 'postgres'\nurl_file = 'u'", "postgres://u:p@h/d"),
            "postgres://u:p@h/d"
        );
        let socket = "kind = 'postgres'\nurl = 'postgres:///d?host=/run/postgresql&user=u'";
        assert_eq!(
            whole(socket, ""),
            "postgres:///d?host=/run/postgresql&user=u"
        );
    }

    /// A URL in parts, as the client's parser reads it.
    mod tokio_like {
        pub(super) struct Parts {
            pub(super) password: String,
            pub(super) host: String,
        }

        pub(super) fn parts(url: &str) -> Parts {
            let rest = url.strip_prefix("postgres://").unwrap();
            let (who, rest) = rest.split_once('@').unwrap();
            let (_, password) = who.split_once(':').unwrap();
            let host = rest.split(['/', ':', '?']).next().unwrap();
            Parts {
                password: decoded(password),
                host: host.to_owned(),
            }
        }

        fn decoded(text: &str) -> String {
            let mut bytes = Vec::new();
            let mut rest = text.bytes();
            while let Some(byte) = rest.next() {
                if byte == b'%' {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    bytes.push(
                        u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap(),
                    );
                } else {
                    bytes.push(byte);
                }
            }
            String::from_utf8(bytes).unwrap()
        }
    }

    #[test]
    fn a_password_in_the_file_is_refused_and_not_repeated() {
        for url in [
            "postgres://u:hunter2@db.example/d",
            "postgres://db.example/d?user=u&password=hunter2",
            "hunter2 is not a url",
            "mysql://u:hunter2@db.example/d",
        ] {
            let error = read(&format!("kind = 'postgres'\nurl = '{url}'")).unwrap_err();
            assert!(
                error.contains("store.url") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_the_store_is_told_is_checked() {
        let url = "kind = 'postgres'\nurl = 'postgres://u@h/d'";
        let good = format!(
            "{url}\npool = 4\nlayout = 'database'\nprefix = 'a1'\nca_file = 'ca.pem'\nallow_plaintext = true\nkeys_url_env = 'K'"
        );
        let good = read(&good).unwrap().unwrap();
        assert_eq!(
            (good.pool, good.layout, good.allow_plaintext),
            (Some(4), Layout::Database, true)
        );
        assert_eq!(good.ca.as_deref(), Some(Path::new("conf/ca.pem")));
        assert!(matches!(
            good.url,
            PostgresUrl::Parts { password: None, .. }
        ));
        assert_eq!(read("kind = 'embedded'").unwrap(), None);
        for (lines, key) in [
            ("kind = 'sqlite'".to_owned(), "store.kind"),
            ("kind = 'postgres'".to_owned(), "store.kind"),
            ("kind = 'embedded'\npool = 8".to_owned(), "store.pool"),
            (
                "kind = 'embedded'\nurl = 'postgres://u@h/d'".to_owned(),
                "store.url",
            ),
            (
                "kind = 'embedded'\nallow_plaintext = false".to_owned(),
                "store.allow_plaintext",
            ),
            (format!("{url}\nurl_env = 'U'"), "store.url"),
            (
                format!("{url}\npassword_env = 'P'\npassword_file = 'p'"),
                "store.password_env",
            ),
            (
                "kind = 'postgres'\nurl_env = 'U'\npassword_env = 'P'".to_owned(),
                "store.password_file",
            ),
            (
                "kind = 'postgres'\nurl = 'postgres:///d'\npassword_env = 'P'".to_owned(),
                "store.url",
            ),
            (format!("{url}\npool = 3"), "store.pool"),
            (format!("{url}\npool = 257"), "store.pool"),
            (format!("{url}\nlayout = 'table'"), "store.layout"),
            (format!("{url}\nprefix = 'pg1'"), "store.prefix"),
            (format!("{url}\nprefx = 'a'"), "prefix"),
        ] {
            let error = read(&lines).map(|_| ()).expect_err(&lines);
            assert!(error.contains(key), "{lines}: {error}");
        }
    }
}
