use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq as _;
use toolhost_examples::problem;

/// A system that customers have an account at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Billing,
    Support,
}

impl System {
    /// The customer by the application's name for it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "billing" => Some(Self::Billing),
            "support" => Some(Self::Support),
            _ => None,
        }
    }

    /// The header that says whose things a request is about.
    fn header(self) -> &'static str {
        match self {
            Self::Billing => "x-account-id",
            Self::Support => "x-workspace-id",
        }
    }

    fn id(self, customer: &str) -> String {
        match self {
            Self::Billing => format!("acct_{customer}"),
            Self::Support => format!("ws_{customer}"),
        }
    }
}

/// A customer's account at one system.
pub(crate) struct Account {
    /// The customer, as the application calls it.
    pub(crate) tenant: &'static str,
    /// What the system's own header must say.
    pub(crate) id: String,
    /// What opens it.
    pub(crate) token: String,
}

/// All accounts at one system.
#[derive(Clone)]
pub(crate) struct Accounts {
    pub(crate) system: System,
    all: Arc<Vec<Account>>,
}

impl Accounts {
    fn new(system: System) -> Self {
        let account = |tenant: &'static str| Account {
            tenant,
            id: system.id(tenant),
            token: format!("tok_{}", uuid::Uuid::new_v4().simple()),
        };
        Self {
            system,
            all: Arc::new(["acme", "globex"].map(account).into()),
        }
    }

    /// The account of one customer.
    pub(crate) fn account(&self, tenant: &str) -> Option<&Account> {
        self.all.iter().find(|account| account.tenant == tenant)
    }

    /// The account that a request's token opens, if its header names that one.
    fn opened(&self, headers: &HeaderMap) -> Result<&Account, (StatusCode, &'static str)> {
        let only = |name: &str| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (Some(value), None) => value.to_str().ok(),
                _ => None,
            }
        };
        let token = only("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let account = token.and_then(|token| {
            let opens =
                |account: &&Account| bool::from(account.token.as_bytes().ct_eq(token.as_bytes()));
            self.all.iter().find(opens)
        });
        let account = account.ok_or((StatusCode::UNAUTHORIZED, "the token opens no account"))?;
        if only(self.system.header()) == Some(&account.id) {
            Ok(account)
        } else {
            Err((
                StatusCode::FORBIDDEN,
                "the header names another account than the token's",
            ))
        }
    }
}

/// Whose request it is, for the routes behind [`authenticate`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Customer(pub(crate) &'static str);

/// Lets a request in that shows a token and the id that belongs to it.
pub(crate) async fn authenticate(
    State(accounts): State<Accounts>,
    mut request: Request,
    next: Next,
) -> Response {
    match accounts.opened(request.headers()) {
        Ok(account) => {
            let customer = Customer(account.tenant);
            request.extensions_mut().insert(customer);
            next.run(request).await
        }
        Err((status, why)) => problem(status, why),
    }
}

/// What the application knows of its tenants. The tokens are made up when it starts: nobody has to
/// configure them.
pub(crate) struct Customers([Accounts; 2]);

impl Customers {
    pub(crate) fn new() -> Self {
        Self([
            Accounts::new(System::Billing),
            Accounts::new(System::Support),
        ])
    }

    /// The accounts at one system.
    pub(crate) fn accounts(&self, system: System) -> Accounts {
        let [billing, support] = &self.0;
        match system {
            System::Billing => billing.clone(),
            System::Support => support.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, StatusCode};

    use super::{Accounts, Customers, System};

    fn status(accounts: &Accounts, token: &str, id: &str) -> Result<&'static str, StatusCode> {
        let mut headers = HeaderMap::new();
        headers.insert(
            "authorization",
            HeaderValue::from_str(&format!("Bearer {token}")).unwrap(),
        );
        headers.insert("x-account-id", HeaderValue::from_str(id).unwrap());
        let opened = accounts.opened(&headers);
        opened
            .map(|account| account.tenant)
            .map_err(|(status, _)| status)
    }

    #[test]
    fn a_token_opens_its_own_account_at_its_own_system_alone() {
        let customers = Customers::new();
        let (billing, support) = (
            customers.accounts(System::Billing),
            customers.accounts(System::Support),
        );
        let token = &billing.account("acme").unwrap().token;
        assert_eq!(status(&billing, token, "acct_acme"), Ok("acme"));
        assert_eq!(
            status(&billing, token, "acct_globex"),
            Err(StatusCode::FORBIDDEN)
        );
        assert_eq!(
            status(
                &billing,
                &support.account("acme").unwrap().token,
                "acct_acme"
            ),
            Err(StatusCode::UNAUTHORIZED)
        );
        assert!(billing.opened(&HeaderMap::new()).is_err());
    }
}
