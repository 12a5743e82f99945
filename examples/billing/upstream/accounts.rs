use anyhow::Context;
use axum::http::HeaderMap;
use subtle::ConstantTimeEq;
use toolhost_examples::secret;

/// A customer of this API.
pub(crate) struct Account {
    /// What `x-account-id` must say.
    pub(crate) id: String,
    token: String,
}

impl Account {
    /// Reads `NAME=@FILE` or `NAME=env:VAR`; account `acme` has the id `acct_acme`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let (name, source) = text
            .split_once('=')
            .context("--account takes NAME=@FILE or NAME=env:VAR")?;
        let token = secret(&format!("--account {name}"), source)?;
        Ok(Self {
            id: format!("acct_{name}"),
            token,
        })
    }
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthRefusal {
    /// No token, or one that opens nothing.
    Token,
    /// A token of one account with the id of another, or with none.
    Account,
}

/// The account of a request: the one that its token opens and that `x-account-id` names.
pub(crate) fn account_of<'a>(
    accounts: &'a [Account],
    headers: &HeaderMap,
) -> Result<&'a Account, AuthRefusal> {
    let only = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    };
    let token = only("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(AuthRefusal::Token)?;
    let opens = |account: &&Account| bool::from(account.token.as_bytes().ct_eq(token.as_bytes()));
    let account = accounts.iter().find(opens).ok_or(AuthRefusal::Token)?;
    if only("x-account-id") == Some(&account.id) {
        Ok(account)
    } else {
        Err(AuthRefusal::Account)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::{Account, AuthRefusal, account_of};

    fn accounts() -> Vec<Account> {
        ["acme", "globex"]
            .map(|name| Account {
                id: format!("acct_{name}"),
                token: format!("{name}-token"),
            })
            .into()
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_token_opens_its_own_account_alone() {
        let accounts = accounts();
        let of = |pairs| account_of(&accounts, &headers(pairs)).map(|account| account.id.as_str());
        assert_eq!(
            of(&[
                ("authorization", "Bearer acme-token"),
                ("x-account-id", "acct_acme")
            ]),
            Ok("acct_acme")
        );
        assert_eq!(
            of(&[
                ("authorization", "Bearer acme-token"),
                ("x-account-id", "acct_globex")
            ]),
            Err(AuthRefusal::Account)
        );
        assert_eq!(
            of(&[("authorization", "Bearer acme-token")]),
            Err(AuthRefusal::Account)
        );
        assert_eq!(
            of(&[("authorization", "Bearer x"), ("x-account-id", "acct_acme")]),
            Err(AuthRefusal::Token)
        );
        assert_eq!(
            of(&[("x-account-id", "acct_acme")]),
            Err(AuthRefusal::Token)
        );
        let twice = &[
            ("authorization", "Bearer acme-token"),
            ("authorization", "Bearer acme-token"),
        ];
        assert_eq!(of(twice), Err(AuthRefusal::Token));
    }
}
