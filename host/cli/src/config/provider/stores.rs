use toolhost_vault::{
    AwsIdentity, AwsSettings, BrokerSettings, Grammar, KvAuth, KvSettings, NameTemplate,
    NameTemplates,
};

use super::place::{fresh_for, place_where_said, read_endpoint};
use crate::config::ConfigError;
use crate::config::keys::TableKeys;

const TOKEN: [&str; 2] = ["token_file", "token_env"];

pub(super) fn broker(keys: &TableKeys<'_>) -> Result<BrokerSettings, ConfigError> {
    let place = read_endpoint(keys, "url")?;
    let secret = keys.secret("token", TOKEN)?;
    if secret.is_none() && keys.text("certificate_file")?.is_none() {
        let why = "is needed, or token_env, or certificate_file: a broker that answers anybody keeps nothing";
        return Err(keys.missing_key_error("token_file", why));
    }
    Ok(BrokerSettings {
        place,
        secret,
        fresh_for: fresh_for(keys)?,
    })
}

pub(super) fn aws(keys: &TableKeys<'_>) -> Result<AwsSettings, ConfigError> {
    let key = keys.secret(
        "secret_access_key",
        ["secret_access_key_file", "secret_access_key_env"],
    )?;
    let session = keys.secret("session_token", ["session_token_file", "session_token_env"])?;
    let formats = [("json", Grammar::Json), ("text", Grammar::Text)];
    Ok(AwsSettings {
        region: keys.require_text("region")?.into_inner(),
        place: place_where_said(keys, "url")?,
        identity: AwsIdentity {
            access_key_id: keys.require_text("access_key_id")?.into_inner(),
            secret_access_key: key.ok_or_else(|| {
                keys.missing_key_error(
                    "secret_access_key_file",
                    "is needed, or secret_access_key_env",
                )
            })?,
            session_token: session,
        },
        names: names(keys, ["secret_id", "user_secret_id"])?,
        grammar: keys.one_of("format", &formats)?.unwrap_or_default(),
        fresh_for: fresh_for(keys)?,
    })
}

pub(super) fn kv(keys: &TableKeys<'_>) -> Result<KvSettings, ConfigError> {
    let place = read_endpoint(keys, "url")?;
    let token = keys.secret("token", TOKEN)?;
    let role_id = keys.text("role_id")?;
    let secret_id = keys.secret("secret_id", ["secret_id_file", "secret_id_env"])?;
    let auth_mount = keys.text("auth_mount")?;
    let auth = match (token, role_id, secret_id) {
        (Some(token), None, None) => {
            if let Some(mount) = auth_mount {
                return Err(keys.error(&mount, "auth_mount", "has no meaning without role_id"));
            }
            KvAuth::Token(token)
        }
        (None, Some(role_id), Some(secret_id)) => KvAuth::AppRole {
            mount: auth_mount.map_or_else(|| "approle".to_owned(), toml::Spanned::into_inner),
            role_id: role_id.into_inner(),
            secret_id,
        },
        _ => {
            let why = "one way to prove itself is needed: token_file or token_env, or role_id with secret_id_file or secret_id_env";
            return Err(keys.missing_key_error("token_file", why));
        }
    };
    let text = |name| Ok::<_, ConfigError>(keys.text(name)?.map(toml::Spanned::into_inner));
    Ok(KvSettings {
        place,
        mount: text("mount")?.unwrap_or_else(|| "secret".to_owned()),
        namespace: text("namespace")?,
        auth,
        names: names(keys, ["path", "user_path"])?,
        fresh_for: fresh_for(keys)?,
    })
}

/// Where tenants' credentials are, and where users' own are.
fn names(
    keys: &TableKeys<'_>,
    [tenant, user]: [&'static str; 2],
) -> Result<NameTemplates, ConfigError> {
    let template = |name: &'static str, of_user: bool| {
        let Some(text) = keys.text(name)? else {
            return Ok(None);
        };
        let template =
            NameTemplate::parse(text.get_ref()).map_err(|why| keys.error(&text, name, why))?;
        match (template.is_of_user(), of_user) {
            (true, false) => Err(keys.error(
                &text,
                name,
                format!("has {{user}}, which belongs into {user}"),
            )),
            (false, true) => {
                Err(keys.error(&text, name, "has no {user}: all users would have one"))
            }
            _ => Ok(Some(template)),
        }
    };
    let names = NameTemplates {
        tenant: template(tenant, false)?,
        user: template(user, true)?,
    };
    if names == NameTemplates::default() {
        let why = format!(
            "is needed, or {user}: where each credential is, such as \"toolhost/{{tenant}}/{{connection}}\""
        );
        return Err(keys.missing_key_error(tenant, why));
    }
    Ok(names)
}
