use serde::{Deserialize, Serialize};

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Role {
    /// All tenants.
    Superadmin,
    /// Its own and those below it.
    Owner,
    /// Its own.
    Admin,
}

/// Somebody who can log in.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// The tenant of the login.
    pub(crate) tenant: Option<&'static str>,
}

/// A customer, or a part of one.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) id: &'static str,
    parent: Option<&'static str>,
    /// One that is closed is given to nobody, whoever may think that it is still open.
    open: bool,
}

const PEOPLE: [Person; 3] = [
    Person {
        name: "ada",
        role: Role::Owner,
        tenant: Some("riviera"),
    },
    Person {
        name: "ben",
        role: Role::Admin,
        tenant: Some("riviera-barcelona"),
    },
    Person {
        name: "sol",
        role: Role::Superadmin,
        tenant: None,
    },
];

const TENANTS: [Tenant; 5] = [
    tenant("riviera", None, true),
    tenant("riviera-barcelona", Some("riviera"), true),
    tenant("riviera-lisbon", Some("riviera"), true),
    tenant("riviera-porto", Some("riviera"), false),
    tenant("harbour", None, true),
];

const fn tenant(id: &'static str, parent: Option<&'static str>, open: bool) -> Tenant {
    Tenant { id, parent, open }
}

/// Who has this name.
pub(crate) fn person(name: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.name == name)
}

impl Person {
    /// The tenant of this id, where the person may act for it.
    pub(crate) fn reaches(&self, id: &str) -> Option<&'static Tenant> {
        let tenant = TENANTS
            .iter()
            .find(|tenant| tenant.id == id && tenant.open)?;
        let own = self.tenant == Some(tenant.id);
        // The tree of this company is two tenants deep.
        let below = self.tenant.is_some() && self.tenant == tenant.parent;
        match self.role {
            Role::Superadmin => Some(tenant),
            Role::Owner => (own || below).then_some(tenant),
            Role::Admin => own.then_some(tenant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TENANTS, person};

    #[test]
    fn each_role_reaches_what_is_its_own() {
        let reached = |name: &str| {
            let person = person(name).unwrap();
            let ids = TENANTS.iter().map(|tenant| tenant.id);
            ids.filter(|id| person.reaches(id).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            reached("ada"),
            ["riviera", "riviera-barcelona", "riviera-lisbon"]
        );
        assert_eq!(reached("ben"), ["riviera-barcelona"]);
        assert_eq!(
            reached("sol"),
            ["riviera", "riviera-barcelona", "riviera-lisbon", "harbour"]
        );
        assert!(person("ada").unwrap().reaches("nowhere").is_none());
        assert!(person("eve").is_none());
    }
}
