//! Configuration and flags joined into one. Nothing is defined twice: a flag that repeats the file
//! is refused, because either of the two could be the one that was meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toolhost_audit::ChainSettings;
use toolhost_identity::TenantId;
use toolhost_net::AddressPolicy;
use toolhost_policy::{
    CheckedConnection, Connection, ConnectionConflict, ConnectionName, PluginName, PrincipalRule,
};
use toolhost_vault::{SecretSource, StaticCredential};
use url::Url;

use crate::args::{DataArgs, WiringArgs};
use crate::config::{self, Config, DataConfig};
use crate::exit::CliError;
use crate::secret_ref;
use crate::wiring;

/// The configuration that is read where no flag names one.
const DEFAULT_CONFIG: &str = "host.toml";

/// The provider that keeps credentials sealed in the data directory.
pub(crate) const VAULT: &str = "vault";

/// Where grants are kept.
const LOCK: &str = "host.lock";

/// What `run` and `call` work from.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The file's word with the flags' added.
    pub(crate) config: Config,
    pub(crate) dev_tenant: Option<TenantId>,
    /// Plugins named by flags; those of the file are in the configuration.
    pub(crate) plugins: Vec<PathBuf>,
    pub(crate) yes: bool,
    pub(crate) lock: PathBuf,
    pub(crate) cache_dir: PathBuf,
}

impl Setup {
    /// Reads the configuration and joins the flags.
    ///
    /// # Errors
    /// The configuration or a flag is wrong, or both define the same thing.
    pub(crate) fn gather(args: &WiringArgs) -> anyhow::Result<Self> {
        let mut config = read_config(args.config.as_deref())?;
        let dev_tenant = args
            .dev_tenant
            .as_deref()
            .map(|name| dev_tenant(name, &config))
            .transpose()?;
        for text in &args.connections {
            let connection = connection(text)?;
            if config.connections.contains_key(&connection.name) {
                let name = &connection.name;
                return Err(CliError::usage(format!(
                    "--connection {name}=…: connection {name} is defined already; change [connections.{name}] or leave out the flag"
                ))
                .into());
            }
            config
                .connections
                .insert(connection.name.clone(), connection);
        }
        for text in &args.credentials {
            let (tenant, connection, source) = credential(text, dev_tenant.as_ref())?;
            let known =
                Some(&tenant) == dev_tenant.as_ref() || config.tenants.contains_key(&tenant);
            if !known {
                return Err(CliError::usage(format!(
                    "--credential {tenant}/{connection}=…: there is no tenant {tenant}; add [tenants.{tenant}] to the configuration"
                ))
                .into());
            }
            if config.has_credential(&tenant, &connection) {
                return Err(CliError::usage(format!(
                    "--credential {tenant}/{connection}=…: it is given twice; change [credentials.{tenant}.{connection}] or leave out the flag"
                ))
                .into());
            }
            config.credentials.push(StaticCredential {
                tenant,
                connection,
                user: None,
                source,
                attributes: BTreeMap::new(),
                expires_at: None,
            });
        }
        for text in &args.adapters {
            adapter(text, &mut config)?;
        }
        config.data = data_config(&config, &args.data)?;
        default_to_vault(&mut config)?;
        let lock = lock_of(&config, args.lock.as_deref());
        let cache_dir = match args.cache_dir.clone().or_else(|| config.cache_dir.clone()) {
            Some(directory) => directory,
            None => default_cache_dir()?,
        };
        Ok(Self {
            config,
            dev_tenant,
            plugins: args.plugins.clone(),
            yes: args.yes,
            lock,
            cache_dir,
        })
    }
}

impl Setup {
    /// Of a configuration alone, as a start without flags would have it, for verbs that look at it.
    ///
    /// # Errors
    /// Something in it needs a data directory and there is none, or has no meaning beside one; no
    /// directory for compiled plugins.
    pub(crate) fn of_config(
        mut config: Config,
        data: &DataArgs,
        lock: Option<&Path>,
        cache_dir: Option<&Path>,
    ) -> anyhow::Result<Self> {
        config.data = data_config(&config, data)?;
        default_to_vault(&mut config)?;
        let lock = lock_of(&config, lock);
        let cache_dir = cache_dir
            .map(Path::to_owned)
            .or_else(|| config.cache_dir.clone());
        Ok(Self {
            config,
            dev_tenant: None,
            plugins: Vec::new(),
            yes: false,
            lock,
            cache_dir: cache_dir.map_or_else(default_cache_dir, Ok)?,
        })
    }
}

/// Where what lasts is: the flag's word before the file's.
///
/// # Errors
/// The master key is named without a data directory, or as a secret on the command line.
pub(crate) fn data_config(
    config: &Config,
    args: &DataArgs,
) -> Result<Option<DataConfig>, CliError> {
    let master_key = args
        .master_key
        .as_deref()
        .map(|text| secret_ref::parse("--master-key", text))
        .transpose()?;
    let Some(dir) = args
        .data_dir
        .clone()
        .or_else(|| config.data.as_ref().map(|data| data.dir.clone()))
    else {
        if master_key.is_some() {
            return Err(CliError::usage(
                "--master-key has no meaning without --data-dir or [data] dir",
            ));
        }
        if config.postgres.is_some() {
            return Err(CliError::usage(
                "[store] kind = \"postgres\" needs a data directory of this host's own, for its audit chains, its lock and its admin socket: --data-dir DIR, or [data] dir",
            ));
        }
        return Ok(None);
    };
    let master_key = master_key.or_else(|| {
        config
            .data
            .as_ref()
            .and_then(|data| data.master_key.clone())
    });
    let postgres = config.postgres.clone();
    if postgres.is_some() && master_key.is_none() {
        return Err(CliError::usage(
            "[store] kind = \"postgres\" needs the master key that all its hosts have: [data] master_key_file or master_key_env, or --master-key",
        ));
    }
    Ok(Some(DataConfig {
        dir,
        master_key,
        postgres,
    }))
}

/// The file that a flag names, or `host.toml` where there is one, or nothing.
///
/// # Errors
/// The named file is not there, or what is in a file is wrong.
pub(crate) fn read_config(named: Option<&Path>) -> anyhow::Result<Config> {
    match named {
        Some(path) => Ok(config::load(path)?),
        None if Path::new(DEFAULT_CONFIG).exists() => Ok(config::load(Path::new(DEFAULT_CONFIG))?),
        None => Ok(Config::default()),
    }
}

/// Where compiled plugins are kept unless something says otherwise.
///
/// # Errors
/// Neither `XDG_CACHE_HOME` nor `HOME` is set.
pub(crate) fn default_cache_dir() -> Result<PathBuf, CliError> {
    let set = |variable| {
        std::env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("toolhost").join("artefacts")).ok_or_else(|| {
        CliError::usage("neither XDG_CACHE_HOME nor HOME is set: name a directory for compiled plugins with --cache-dir")
    })
}

/// A connection whose credentials nothing declares has them in the vault, where there is one. Which
/// provider a connection has is settled here, before anything is served.
///
/// # Errors
/// Something needs a data directory and there is none, or has no meaning beside one.
pub(crate) fn default_to_vault(config: &mut Config) -> Result<(), CliError> {
    let lasts = config.data.is_some();
    if lasts && config.audit.is_some() {
        return Err(CliError::usage(
            "[audit] file has no meaning with a data directory: the chains are in it",
        ));
    }
    if lasts && !config.assigned.is_empty() {
        return Err(CliError::usage(
            "[tenants.NAME] mode and plugins have no meaning with a data directory, where they are kept: use host tenant set NAME --mode, and host plugin assign",
        ));
    }
    if !lasts && config.chains != ChainSettings::default() {
        return Err(CliError::usage(
            "[audit] on_failure and segment_bytes need a data directory: --data-dir DIR, or [data] dir",
        ));
    }
    if !lasts && !config.may_provision.is_empty() {
        return Err(CliError::usage(
            "issuers.may_provision needs a data directory, where the tenants are kept: --data-dir DIR, or [data] dir",
        ));
    }
    let declared: BTreeSet<ConnectionName> = config
        .credentials
        .iter()
        .map(|known| known.connection.clone())
        .collect();
    for (name, connection) in &mut config.connections {
        if let Some(provider) = config.providers.get(&connection.credentials)
            && provider.needs_vault()
            && !lasts
        {
            return Err(wiring::needs_vault(&connection.credentials, provider));
        }
        if connection.credentials == VAULT && !lasts {
            return Err(CliError::usage(format!(
                "connections.{name}.credentials = \"vault\" needs a data directory: --data-dir DIR, or [data] dir"
            )));
        }
        if lasts && connection.credentials == "static" && !declared.contains(name) {
            let mut sealed = connection.to_connection();
            sealed.credentials = VAULT.into();
            let refuse = |why: ConnectionConflict| CliError::usage(why.to_string());
            *connection = CheckedConnection::new(sealed).map_err(refuse)?;
        }
    }
    Ok(())
}

/// Where grants are kept.
pub(crate) fn lock_of(config: &Config, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| path_beside(config.path.as_deref(), LOCK), Path::to_owned)
}

fn path_beside(file: Option<&Path>, name: &str) -> PathBuf {
    file.and_then(Path::parent)
        .map_or_else(|| PathBuf::from(name), |directory| directory.join(name))
}

fn dev_tenant(name: &str, config: &Config) -> Result<TenantId, CliError> {
    let tenant =
        TenantId::parse(name).map_err(|why| CliError::usage(format!("--dev-tenant: {why}")))?;
    if !config.tenants.is_empty() && !config.tenants.contains_key(&tenant) {
        return Err(CliError::usage(format!(
            "--dev-tenant {tenant}: the configuration has no [tenants.{tenant}]"
        )));
    }
    Ok(tenant)
}

/// `NAME=URL`. The URL is the operator's own word, so `http://` and loopback in it are meant;
/// `http://` to anywhere else would send the credential in the clear and takes the configuration's
/// `allow_http`.
fn connection(text: &str) -> Result<CheckedConnection, CliError> {
    let (name, url) = text.split_once('=').ok_or_else(|| {
        CliError::usage(format!(
            "--connection {}: is not NAME=URL",
            text.escape_default()
        ))
    })?;
    let name = ConnectionName::parse(name)
        .map_err(|why| CliError::usage(format!("--connection: {why}")))?;
    let refuse = |why: String| CliError::usage(format!("--connection {name}: the URL {why}"));
    let base = Url::parse(url).map_err(|why| refuse(format!("does not parse: {why}")))?;
    config::check_base(&base).map_err(&refuse)?;
    let loopback = config::loopback(&base);
    if base.scheme() == "http" && !loopback {
        return Err(refuse(format!(
            "is http:// to another machine, which sends the credential in the clear; define [connections.{name}] with allow_http = true if that is meant"
        )));
    }
    let policy = AddressPolicy {
        allow_loopback: loopback,
        allow_private: false,
    };
    config::reachable(&base, &policy, &format!("connections.{name}")).map_err(refuse)?;
    let connection = Connection {
        allow_http: base.scheme() == "http",
        principal: PrincipalRule::Any,
        allow_loopback: loopback,
        ..Connection::new(name, base)
    };
    let text = connection.name.to_string();
    CheckedConnection::new(connection)
        .map_err(|why| CliError::usage(format!("--connection {text}: {why}")))
}

/// `NAME=FILE`.
pub(crate) fn adapter(text: &str, config: &mut Config) -> Result<(), CliError> {
    let (name, file) = text.split_once('=').ok_or_else(|| {
        CliError::usage(format!(
            "--adapter {}: is not NAME=FILE",
            text.escape_default()
        ))
    })?;
    let name =
        PluginName::parse(name).map_err(|why| CliError::usage(format!("--adapter: {why}")))?;
    if config.adapter_files.contains_key(&name) {
        return Err(CliError::usage(format!(
            "--adapter {name}=…: it is named already; change [adapters.{name}] or leave out the flag"
        )));
    }
    config.adapter_files.insert(name, PathBuf::from(file));
    Ok(())
}

fn credential(
    text: &str,
    dev_tenant: Option<&TenantId>,
) -> Result<(TenantId, ConnectionName, SecretSource), CliError> {
    // The text is not repeated in an error: what stands after = may be the secret itself.
    let (key, source) = text.split_once('=').ok_or_else(|| {
        CliError::usage("--credential takes [TENANT/]NAME=@FILE or [TENANT/]NAME=env:VAR")
    })?;
    let (tenant, name) = match key.split_once('/') {
        Some((tenant, name)) => {
            let tenant = TenantId::parse(tenant)
                .map_err(|why| CliError::usage(format!("--credential: {why}")))?;
            (tenant, name)
        }
        None => match dev_tenant {
            Some(tenant) => (tenant.clone(), key),
            None => {
                return Err(CliError::usage(format!(
                    "--credential {}: without --dev-tenant it must say whose: TENANT/{}=…",
                    key.escape_default(),
                    key.escape_default()
                )));
            }
        },
    };
    let name = ConnectionName::parse(name)
        .map_err(|why| CliError::usage(format!("--credential: {why}")))?;
    let source = secret_ref::parse(&format!("--credential {key}"), source)?;
    Ok((tenant, name, source))
}

#[cfg(test)]
mod tests {
    use toolhost_identity::TenantId;

    use super::{connection, credential};

    #[test]
    fn a_connection_by_flag_is_https_or_loopback() {
        assert!(
            connection("billing=https://billing.example.com")
                .is_ok_and(|c| !c.allow_http && !c.allow_loopback)
        );
        assert!(
            connection("billing=http://127.0.0.1:9")
                .is_ok_and(|c| c.allow_http && c.allow_loopback)
        );
        assert!(
            connection("billing=http://billing.example.com")
                .unwrap_err()
                .message
                .contains("allow_http")
        );
        for bad in [
            "billing",
            "Bill=https://x",
            "billing=x",
            "billing=https://u:p@x",
            "billing=file:///etc/passwd",
        ] {
            assert!(connection(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_short_form_of_a_credential_needs_a_dev_tenant() {
        let acme = TenantId::parse("acme").unwrap();
        assert!(
            credential("billing=@x", None)
                .unwrap_err()
                .message
                .contains("TENANT/billing")
        );
        assert_eq!(credential("billing=@x", Some(&acme)).unwrap().0, acme);
        assert_eq!(
            credential("globex/billing=env:X", Some(&acme))
                .unwrap()
                .0
                .as_str(),
            "globex"
        );
    }

    #[test]
    fn a_secret_given_as_a_credential_is_not_repeated() {
        for text in ["acme/billing=tok_live_1", "tok_live_1"] {
            let error = credential(text, None).unwrap_err().message;
            assert!(!error.contains("tok_live_1"), "{error}");
        }
    }
}
