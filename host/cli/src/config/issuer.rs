//! `[[issuers]]`: whose tokens are believed, and for what.

use std::collections::BTreeMap;

use toml::Spanned;
use toolhost_identity::{
    AcceptedType, Algorithm, ClaimPointer, IssuerName, MissingSubjectRule, NamedTenants,
    ProviderProfile, Role, Tenant, TenantId, TenantKey,
};
use toolhost_net::{AddressPolicy, check_url};
use toolhost_tenancy::{IssuerConfig, KeySource, MAX_ADMITTED_A_MINUTE};
use url::Url;

use super::config_text::ConfigText;
use super::{
    AuthorityKind, ConfigError, EndpointConfig, claim_rules, connection, destination, file,
    named_tenants,
};

/// Each costs a key, a database and a commit; more at once is no growth, but a fault.
const MAX_PROVISION_RATE: u32 = 600;

/// `at` is what errors call the table; `single` says that tokens need name no tenant.
pub(super) fn issuer(
    source: &ConfigText<'_>,
    at: &str,
    raw: file::IssuerTable,
    single: bool,
) -> Result<IssuerConfig, ConfigError> {
    let key = |member: &str| format!("{at}.{member}");
    let claim = |member: &str, text: &Spanned<String>| match ClaimPointer::parse(text.get_ref()) {
        Ok(_) => Ok(text.get_ref().clone()),
        Err(why) => Err(source.at(text, key(member), why)),
    };
    let keys = keys(source, at, &raw)?;
    let audience = match raw.audience {
        file::Audience::One(one) => vec![one],
        file::Audience::Several(several) => several,
    };
    if audience.is_empty() || audience.iter().any(String::is_empty) {
        return Err(source.at(
            &raw.issuer,
            key("audience"),
            "is empty; it must be what the tokens carry as aud",
        ));
    }
    let algorithms = match raw.algorithms {
        None => Algorithm::USUAL.to_vec(),
        Some(names) => {
            let one = |name: &Spanned<String>| {
                Algorithm::parse(name.get_ref()).ok_or_else(|| {
                    let valid = Algorithm::ALL.map(Algorithm::as_str).join(", ");
                    source.at(
                        name,
                        key("algorithms"),
                        format!("{:?} is not one of {valid}", name.get_ref()),
                    )
                })
            };
            names.iter().map(one).collect::<Result<_, _>>()?
        }
    };
    let role = |name: &Spanned<String>| match name.get_ref().as_str() {
        "admin" => Ok(Role::Admin),
        "owner" => Ok(Role::Owner),
        "superadmin" => Ok(Role::Superadmin),
        other => Err(source.at(
            name,
            key("may_grant"),
            format!("{other:?} is not one of admin, owner, superadmin"),
        )),
    };
    let typ = match &raw.typ {
        None => None,
        Some(text) => match text.get_ref().as_str() {
            "usual" => Some(AcceptedType::Usual),
            "at+jwt" => Some(AcceptedType::AccessTokenOnly),
            other => {
                return Err(source.at(
                    text,
                    key("typ"),
                    format!("{other:?} is not one of usual, at+jwt"),
                ));
            }
        },
    };
    let profile = profile(source, &key("profile"), raw.profile.as_ref())?;
    let profile = profile.map(ProviderProfile::rules);
    let typ = typ.unwrap_or_else(|| {
        profile
            .as_ref()
            .map_or(AcceptedType::Usual, |profile| profile.typ)
    });
    let rules = |member: &str, written: &Option<Spanned<file::ClaimRules>>| match written {
        None => Ok(None),
        Some(rules) => claim_rules::rules(source, &key(member), rules).map(Some),
    };
    let (machine, id_token) = (
        rules("machine", &raw.machine)?,
        rules("id_token", &raw.id_token)?,
    );
    let audience_claims = match &raw.audience_claim {
        Some(names) => {
            let texts = names.get_ref().as_slice();
            Some(claim_rules::pointers(
                source,
                &key("audience_claim"),
                names,
                texts,
            )?)
        }
        None => profile
            .as_ref()
            .map(|profile| profile.audience_claims.clone()),
    };
    let without_subject = match &raw.without_subject {
        None => profile
            .as_ref()
            .map(|profile| profile.without_subject)
            .unwrap_or_default(),
        Some(text) => match text.get_ref().as_str() {
            "machine" => MissingSubjectRule::Machine,
            "refuse" => MissingSubjectRule::Refused,
            other => {
                let why = format!("{other:?} is not one of machine, refuse");
                return Err(source.at(text, key("without_subject"), why));
            }
        },
    };
    let of_profile = profile.as_ref().and_then(|profile| profile.tenant_claim);
    // Also where one tenant is served: anybody can have a directory of the provider.
    let name = IssuerName::parse(raw.issuer.get_ref()).ok();
    let of_template = name
        .as_ref()
        .and_then(|name| Some(format!("/{}", name.claim()?)));
    let tenant_claim = match (&raw.tenant_claim, of_profile) {
        (Some(text), _) => Some(claim("tenant_claim", text)?),
        (None, _) if of_template.is_some() => of_template,
        (None, _) if single => None,
        (None, Some(text)) => Some(text.to_owned()),
        (None, None) => {
            let why =
                "is needed: where the tenant stands in a token ([tenancy] single does without)";
            return Err(source.at(&raw.issuer, key("tenant_claim"), why));
        }
    };
    let tenants = match &raw.tenants {
        None => None,
        Some(named) => Some(named_tenants::read_named_tenants(
            source,
            &key("tenants"),
            named,
        )?),
    };
    let subject_claim = match &raw.subject_claim {
        None => None,
        Some(text) => {
            let parsed = ClaimPointer::parse(text.get_ref());
            Some(parsed.map_err(|why| source.at(text, key("subject_claim"), why))?)
        }
    };
    let (machine_of_profile, id_token_of_profile) = profile
        .map(|profile| (profile.machine, profile.id_token))
        .unwrap_or_default();
    let defaults = IssuerConfig::new(raw.issuer.get_ref().as_str(), "", keys);
    let config = IssuerConfig {
        audience,
        audience_claims: audience_claims.unwrap_or_else(|| defaults.audience_claims.clone()),
        algorithms,
        tenant_claim,
        tenant_member: raw.tenant_member.map(Spanned::into_inner),
        tenants,
        subject_claim,
        without_subject,
        role_claim: raw
            .role_claim
            .as_ref()
            .map(|text| claim("role_claim", text))
            .transpose()?,
        may_grant: raw.may_grant.iter().map(role).collect::<Result<_, _>>()?,
        machine: machine.unwrap_or(machine_of_profile),
        id_token: id_token.unwrap_or(id_token_of_profile),
        scopes: raw.scopes,
        typ,
        allow_http: raw.allow_http,
        allow_loopback: raw.allow_loopback,
        allow_private: raw.allow_private,
        ..defaults
    };
    config
        .rules()
        .map_err(|why| source.at(&raw.issuer, key("issuer"), why))?;
    Ok(config)
}

fn profile(
    source: &ConfigText<'_>,
    key: &str,
    written: Option<&Spanned<String>>,
) -> Result<Option<ProviderProfile>, ConfigError> {
    let Some(name) = written else { return Ok(None) };
    match ProviderProfile::parse(name.get_ref()) {
        Some(profile) => Ok(Some(profile)),
        None => {
            let valid = ProviderProfile::ALL.map(ProviderProfile::as_str).join(", ");
            Err(source.at(
                name,
                key,
                format!("{:?} is not one of {valid}", name.get_ref()),
            ))
        }
    }
}

/// With more than one issuer each says which tenants it may name, and each key of a tenant whose it
/// is: two providers may give one key to two customers. Where one tenant is served there is nothing
/// to divide.
pub(super) fn divide(
    source: &ConfigText<'_>,
    issuers: &mut [(Spanned<String>, IssuerConfig)],
    tenants: &BTreeMap<TenantId, Tenant>,
    authority: &mut AuthorityKind,
    single: bool,
) -> Result<(), ConfigError> {
    let are_several = issuers.len() > 1;
    for (at, (name, issuer)) in issuers.iter_mut().enumerate() {
        issuer.shares_directory = are_several;
        if single {
            issuer.tenants.get_or_insert(NamedTenants::All);
        }
        if are_several && issuer.tenants.is_none() {
            let why = "is needed with more than one issuer: which tenants this one may name, as a list of their ids, { prefix = … }, { below = … }, { keys = { … } }, or \"all\"";
            return Err(source.at(name, format!("issuers[{at}].tenants"), why));
        }
    }
    match authority {
        AuthorityKind::Local => {}
        AuthorityKind::Http(settings) => settings.issuer.shares_directory = are_several,
        AuthorityKind::Exchange(exchange) => exchange.returns.shares_directory = are_several,
    }
    let Some((place, _)) = issuers.first() else {
        return Ok(());
    };
    let keys = tenants
        .values()
        .flat_map(|tenant| tenant.keys.iter().map(move |key| (&tenant.id, key)));
    for (tenant, written) in keys {
        let why = match TenantKey::parse(written).issuer {
            None if are_several => format!(
                "{written:?} does not say whose key it is; with more than one issuer write \"ISSUER#{written}\""
            ),
            Some(issuer) if !issuers.iter().any(|(name, _)| name.get_ref() == issuer) => {
                format!("{written:?} is a key of {issuer:?}, which is not configured (issuers)")
            }
            _ => continue,
        };
        return Err(source.at(place, format!("tenants.{tenant}.keys"), why));
    }
    Ok(())
}

/// Exactly one of `jwks_url`, `jwks_file` and `discovery = true`.
fn keys(
    source: &ConfigText<'_>,
    at: &str,
    raw: &file::IssuerTable,
) -> Result<KeySource, ConfigError> {
    let key = |member: &str| format!("{at}.{member}");
    let issuer = web_address(
        source,
        &key("issuer"),
        &raw.issuer,
        raw.allow_http,
        raw.allow_loopback,
    );
    let discovery = raw.discovery.as_ref().filter(|wanted| *wanted.get_ref());
    match (&raw.jwks_url, &raw.jwks_file, discovery) {
        (Some(url), None, None) => web_address(
            source,
            &key("jwks_url"),
            url,
            raw.allow_http,
            raw.allow_loopback,
        )
        .map(KeySource::Url),
        (None, Some(file), None) => Ok(KeySource::File(source.resolve_path(file.get_ref()))),
        // The document is fetched below the issuer, so that has to be a place.
        (None, None, Some(_)) => issuer.map(|_| KeySource::Discovery),
        (None, None, None) => Err(source.at(
            &raw.issuer,
            key("jwks_url"),
            "one of jwks_url, jwks_file and discovery = true is needed",
        )),
        _ => Err(source.at(
            &raw.issuer,
            key("jwks_url"),
            "keep one of jwks_url, jwks_file and discovery = true",
        )),
    }
}

pub(super) fn web_address(
    source: &ConfigText<'_>,
    key: &str,
    text: &Spanned<String>,
    allow_http: bool,
    allow_loopback: bool,
) -> Result<Url, ConfigError> {
    let url = Url::parse(text.get_ref()).map_err(|why| source.at(text, key, why))?;
    connection::check_base(&url).map_err(|why| source.at(text, key, why))?;
    if url.scheme() == "http" && !allow_http {
        return Err(source.at(
            text,
            key,
            "http:// can be read and changed on its way; set allow_http = true if that is meant",
        ));
    }
    if connection::loopback(&url) && !allow_loopback {
        return Err(source.at(
            text,
            key,
            "is this machine; set allow_loopback = true if that is meant",
        ));
    }
    // Which private networks are meant is another key's to say; what no key allows is refused here.
    let policy = AddressPolicy {
        allow_loopback: true,
        allow_private: true,
    };
    check_url(&url, &policy)
        .map_err(|why| source.at(text, key, format!("could never be reached: {why}")))?;
    Ok(url)
}

/// What an issuer may do beside vouching for its callers.
#[derive(Default)]
pub(super) struct IssuerOptions {
    pub(super) introspection: Option<(String, EndpointConfig)>,
    pub(super) may_provision: Vec<(String, u32)>,
}

impl IssuerOptions {
    /// Takes what stands beside an issuer's rules.
    pub(super) fn take(
        &mut self,
        source: &ConfigText<'_>,
        at: &str,
        raw: &mut file::IssuerTable,
        single: Option<&TenantId>,
    ) -> Result<(), ConfigError> {
        let name = raw.issuer.get_ref().clone();
        if let Some(introspection) = raw.introspection.take() {
            let key = format!("{at}.introspection");
            if self.introspection.is_some() {
                let why = "stands at another issuer too; an opaque token does not say whose it is, so one issuer alone can have it";
                return Err(source.at(&introspection, key, why));
            }
            self.introspection = Some((
                name.clone(),
                destination::client(source, &key, introspection)?,
            ));
        }
        if let Some(may) = raw.may_provision.as_ref().filter(|may| *may.get_ref())
            && let Some(single) = single
        {
            let why = format!("has no meaning with tenancy.single = \"{single}\"");
            return Err(source.at(may, format!("{at}.may_provision"), why));
        }
        if let Some(may) = raw.may_provision.as_ref().filter(|may| *may.get_ref())
            && let Some(file::NamedTenantsValue::Some(table)) =
                raw.tenants.as_ref().map(Spanned::get_ref)
            && table.prefix.is_none()
        {
            let why = "has no meaning beside tenants.below and tenants.keys: a new tenant is a root and has its own id";
            return Err(source.at(may, format!("{at}.may_provision"), why));
        }
        let may = raw.may_provision.take().is_some_and(Spanned::into_inner);
        match raw.provision_rate.take() {
            Some(rate) if !may => {
                let why = "has no meaning without may_provision = true";
                return Err(source.at(&rate, format!("{at}.provision_rate"), why));
            }
            Some(rate) if !(1..=MAX_PROVISION_RATE).contains(rate.get_ref()) => {
                let why = format!("is not from 1 to {MAX_PROVISION_RATE} tenants a minute");
                return Err(source.at(&rate, format!("{at}.provision_rate"), why));
            }
            rate if may => {
                let rate = rate.map_or(MAX_ADMITTED_A_MINUTE, Spanned::into_inner);
                self.may_provision.push((name, rate));
            }
            _ => {}
        }
        Ok(())
    }
}
