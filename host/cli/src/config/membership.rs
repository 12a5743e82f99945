//! `[tenancy.membership]`.

use toml::Spanned;
use toolhost_tenancy::MEMBERSHIP_MAX_AGE;

use super::config_text::ConfigText;
use super::destination::{DestinationOptions, destination, secret};
use super::{ConfigError, MembershipConfig, file};

const AT: &str = "tenancy.membership";

pub(super) fn membership(
    source: &ConfigText<'_>,
    raw: Spanned<file::MembershipTable>,
) -> Result<MembershipConfig, ConfigError> {
    let raw = raw.into_inner();
    let max_age = match raw.max_age {
        None => MEMBERSHIP_MAX_AGE,
        Some(seconds) if (1..=MEMBERSHIP_MAX_AGE).contains(seconds.get_ref()) => {
            seconds.into_inner()
        }
        Some(seconds) => {
            let why = format!("is not from 1 to {MEMBERSHIP_MAX_AGE} seconds");
            return Err(source.at(&seconds, format!("{AT}.max_age"), why));
        }
    };
    let allowed = DestinationOptions {
        http: raw.allow_http,
        loopback: raw.allow_loopback,
        private: raw.allow_private,
        timeout: raw.timeout,
    };
    Ok(MembershipConfig {
        destination: destination(source, AT, "url", &raw.url, allowed)?,
        token: secret(source, AT, "token", raw.token_file, raw.token_env)?,
        max_age,
    })
}
