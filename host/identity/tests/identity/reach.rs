//! The tree and who reaches what: N1 to N5, N21, A20.

use crate::support;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{check_claims, rules, with};
use toolhost_identity::{
    AuthorityGrant, AuthorityGrantError, Binding, BindingError, Caller, Directory, GrantId,
    GrantRules, MAX_DEPTH, NamedTenants, Principal, Role, Tenant, TenantId, TenantScope,
    TenantState, Tree, TreeError,
};

fn id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

fn tenant(text: &str, parent: &str) -> Tenant {
    if parent.is_empty() {
        Tenant::root(id(text))
    } else {
        Tenant::below(id(parent), id(text))
    }
}

/// acme > acme-eu > acme-eu-fr, acme > acme-us, globex.
fn family() -> Vec<Tenant> {
    vec![
        tenant("acme-eu-fr", "acme-eu"),
        tenant("acme-eu", "acme"),
        tenant("acme", ""),
        tenant("acme-us", "acme"),
        tenant("globex", ""),
    ]
}

fn tree(tenants: Vec<Tenant>) -> Arc<Tree> {
    Arc::new(Tree::new(1, tenants).unwrap())
}

fn suspended(which: &str) -> Arc<Tree> {
    let mut all = family();
    all.iter_mut()
        .find(|tenant| tenant.id == id(which))
        .unwrap()
        .state = TenantState::Suspended;
    tree(all)
}

fn moved(which: &str, parent: &str) -> Arc<Tree> {
    let mut all = family();
    all.iter_mut()
        .find(|tenant| tenant.id == id(which))
        .unwrap()
        .parent = Some(id(parent));
    tree(all)
}

fn principal(role: &str, key: Option<&str>) -> Arc<Principal> {
    let mut claims = with("role", json!(role));
    match key {
        Some(key) => claims["tenantId"] = json!(key),
        None => drop(claims.as_object_mut().unwrap().remove("tenantId")),
    }
    let mut rules = rules();
    rules.may_grant = vec![Role::Owner, Role::Superadmin];
    Arc::new(check_claims(&claims, &rules).unwrap())
}

fn reached(role: &str, key: Option<&str>, tree: &Arc<Tree>) -> Vec<String> {
    let Ok(caller) = Caller::from_principal(principal(role, key), tree) else {
        return vec![];
    };
    let list: Vec<_> = caller
        .reachable(tree)
        .iter()
        .map(|tenant| tenant.id.to_string())
        .collect();
    // What the list shows is what a binding is given for, and nothing else.
    for tenant in tree.iter() {
        let bound = Binding::active(principal(role, key), &tenant.id, 1, tree);
        assert_eq!(
            bound.is_ok(),
            list.contains(&tenant.id.to_string()),
            "{}",
            tenant.id
        );
    }
    list
}

#[test]
fn n1_a_cycle_an_orphan_and_a_double_are_refused() {
    let refused = |tenants: &[(&str, &str)]| {
        let tenants = tenants.iter().map(|(one, parent)| tenant(one, parent));
        Tree::new(0, tenants).unwrap_err()
    };
    assert!(matches!(
        refused(&[("a", "b"), ("b", "a")]),
        TreeError::Cycle(_)
    ));
    assert!(matches!(refused(&[("a", "a")]), TreeError::Cycle(_)));
    assert!(matches!(
        refused(&[("root", ""), ("a", "c"), ("b", "a"), ("c", "b")]),
        TreeError::Cycle(_)
    ));
    assert_eq!(
        refused(&[("a", "gone")]),
        TreeError::Orphan {
            tenant: id("a"),
            parent: id("gone")
        }
    );
    assert_eq!(
        refused(&[("a", ""), ("a", "")]),
        TreeError::TenantTwice(id("a"))
    );
}

#[test]
fn n1_a_chain_of_sixteen_is_a_tree_and_one_of_seventeen_is_none() {
    let chain = |length: usize| {
        (1..=length).map(|n| match n {
            1 => tenant("t1", ""),
            n => tenant(&format!("t{n}"), &format!("t{}", n - 1)),
        })
    };
    let deepest = Arc::new(Tree::new(0, chain(MAX_DEPTH)).unwrap());
    assert!(deepest.reaches(Role::Owner, Some(&id("t1")), &id("t16")));
    assert!(matches!(
        Tree::new(0, chain(MAX_DEPTH + 1)),
        Err(TreeError::TooDeep(_))
    ));
    let long_cycle = (0..40).map(|n| tenant(&format!("t{n}"), &format!("t{}", (n + 1) % 40)));
    assert!(matches!(Tree::new(0, long_cycle), Err(TreeError::Cycle(_))));
}

#[test]
fn n1_a_display_name_fits_in_a_list() {
    for bad in ["a\nb", "\u{1b}[31m", &"x".repeat(129)] {
        let named = Tenant {
            display_name: bad.into(),
            ..tenant("acme", "")
        };
        assert!(matches!(
            Tree::new(0, [named]),
            Err(TreeError::DisplayName(_))
        ));
    }
}

#[test]
fn n2_a_superadmin_reaches_every_tenant() {
    let all = ["acme", "acme-eu", "acme-eu-fr", "acme-us", "globex"];
    assert_eq!(reached("SUPERADMIN", Some("globex"), &tree(family())), all);
    assert_eq!(reached("SUPERADMIN", None, &tree(family())), all);
}

#[test]
fn n3_an_owner_reaches_its_own_and_all_below_and_neither_parent_nor_sibling() {
    let tree = tree(family());
    assert_eq!(
        reached("OWNER", Some("acme"), &tree),
        ["acme", "acme-eu", "acme-eu-fr", "acme-us"]
    );
    assert_eq!(
        reached("OWNER", Some("acme-eu"), &tree),
        ["acme-eu", "acme-eu-fr"]
    );
    assert_eq!(reached("OWNER", Some("acme-eu-fr"), &tree), ["acme-eu-fr"]);
    assert_eq!(reached("OWNER", None, &tree), [""; 0]);
}

#[test]
fn n3_a_tenant_that_was_moved_away_is_reached_no_more() {
    let before = tree(family());
    let chosen = |tree: &Arc<Tree>| {
        Binding::active(principal("OWNER", Some("acme")), &id("acme-eu-fr"), 1, tree)
    };
    assert!(chosen(&before).is_ok());
    assert_eq!(
        chosen(&moved("acme-eu", "globex")).unwrap_err(),
        BindingError::TenantUnavailable
    );
}

#[test]
fn n4_an_admin_reaches_its_own_tenant_alone() {
    let tree = tree(family());
    assert_eq!(reached("ADMIN", Some("acme"), &tree), ["acme"]);
    assert_eq!(reached("", Some("acme-eu"), &tree), ["acme-eu"]);
    assert_eq!(reached("ADMIN", None, &tree), [""; 0]);
}

#[test]
fn n5_the_reach_is_that_of_the_home_tenant_wherever_one_is() {
    let tree = tree(family());
    let owner = principal("OWNER", Some("acme-eu"));
    let away = Binding::active(owner.clone(), &id("acme-eu-fr"), 1, &tree).unwrap();
    assert_eq!(away.home_tenant(), Some(&id("acme-eu")));
    assert_eq!(away.generation(), 1);
    for further in ["acme", "acme-us", "globex"] {
        let next = Binding::active(away.shared_principal(), &id(further), 2, &tree);
        assert_eq!(
            next.unwrap_err(),
            BindingError::TenantUnavailable,
            "{further}"
        );
    }
    assert_eq!(away.owner(), Binding::home(owner, &tree).unwrap().owner());
}

#[test]
fn n21_unknown_suspended_and_forbidden_are_one_error() {
    let tree = suspended("acme-us");
    for unavailable in ["nowhere", "acme-us", "globex"] {
        let bound = Binding::active(principal("OWNER", Some("acme")), &id(unavailable), 1, &tree);
        assert_eq!(
            bound.unwrap_err(),
            BindingError::TenantUnavailable,
            "{unavailable}"
        );
    }
}

#[test]
fn a_suspended_tenant_takes_those_below_it_along() {
    let tree = suspended("acme-eu");
    assert_eq!(
        reached("SUPERADMIN", Some("globex"), &tree),
        ["acme", "acme-us", "globex"]
    );
    assert_eq!(reached("OWNER", Some("acme"), &tree), ["acme", "acme-us"]);
    for below in ["acme-eu", "acme-eu-fr"] {
        let home = Binding::home(principal("SUPERADMIN", Some(below)), &tree);
        assert_eq!(home.unwrap_err(), BindingError::TenantUnavailable);
        // Nor does a caller whose own tenant is suspended reach others.
        let other = Binding::active(
            principal("SUPERADMIN", Some(below)),
            &id("globex"),
            1,
            &tree,
        );
        assert_eq!(other.unwrap_err(), BindingError::TenantUnavailable);
        assert!(!tree.reaches(Role::Superadmin, Some(&id(below)), &id("globex")));
    }
}

#[test]
fn a_caller_without_a_claim_is_tenantless_and_one_with_an_unknown_claim_is_nobody() {
    let tree = tree(family());
    let caller = Caller::from_principal(principal("SUPERADMIN", None), &tree).unwrap();
    assert!(matches!(caller, Caller::Tenantless(_)) && caller.home_space().is_none());
    assert_eq!(
        caller.clone().binding().unwrap_err(),
        BindingError::TenantRequired
    );
    assert!(matches!(
        Caller::from_principal(principal("SUPERADMIN", Some("nowhere")), &tree),
        Err(BindingError::TenantUnavailable)
    ));
    let home = Caller::from_principal(principal("SUPERADMIN", Some("acme")), &tree).unwrap();
    assert_ne!(caller.owner(), home.owner());
}

#[test]
fn a20_in_single_tenant_mode_every_token_is_the_one_tenant_but_one_that_names_another() {
    let single = Arc::new(Tree::from_single_tenant(tenant("acme", "")).unwrap());
    let home = |key| {
        Binding::home(principal("ADMIN", key), &single).map(|binding| binding.tenant().clone())
    };
    assert_eq!(home(None), Ok(id("acme")));
    assert_eq!(home(Some("acme")), Ok(id("acme")));
    assert_eq!(home(Some("globex")), Err(BindingError::TenantUnavailable));
    let elsewhere = Binding::active(principal("SUPERADMIN", None), &id("globex"), 1, &single);
    assert_eq!(elsewhere.unwrap_err(), BindingError::TenantUnavailable);
    // Where no claim is configured, none is read.
    let mut unasked = rules();
    unasked.tenant_claim = None;
    let other = check_claims(&with("tenantId", json!("globex")), &unasked).unwrap();
    assert_eq!(
        Binding::home(other.into(), &single).unwrap().tenant(),
        &id("acme")
    );
}

fn granted(
    change: &[(&str, Value)],
    rules_of: &GrantRules,
) -> Result<AuthorityGrant, AuthorityGrantError> {
    let caller = principal("ADMIN", Some("acme"));
    let mut claims = with("tenantId", json!("globex"));
    let mut rules = rules();
    for (name, value) in change {
        claims[*name] = value.clone();
        if *name == "iss" {
            rules.issuer = toolhost_identity::IssuerName::parse(value.as_str().unwrap()).unwrap();
        }
    }
    if claims["tenantId"].is_null() {
        claims.as_object_mut().unwrap().remove("tenantId");
    }
    let token = check_claims(&claims, &rules).unwrap();
    let id_of = GrantId::new([7; 16]);
    AuthorityGrant::try_new(
        id_of,
        &caller,
        &token,
        &id("globex"),
        rules_of,
        &tree(family()),
    )
}

#[test]
fn n8_a_grant_is_for_the_same_subject_kind_client_and_the_tenant_that_was_asked() {
    let usual = GrantRules::default();
    assert!(granted(&[], &usual).is_ok());
    for (name, value, expected) in [
        ("sub", json!("user-2"), AuthorityGrantError::Subject),
        (
            "iss",
            json!("https://other.example"),
            AuthorityGrantError::Issuer,
        ),
        ("tenantId", json!("acme"), AuthorityGrantError::Tenant),
        ("tenantId", json!("nowhere"), AuthorityGrantError::Tenant),
        ("tenantId", Value::Null, AuthorityGrantError::Tenant),
        ("client_id", json!("other"), AuthorityGrantError::Client),
        (
            "gty",
            json!("client-credentials"),
            AuthorityGrantError::Kind,
        ),
    ] {
        assert_eq!(granted(&[(name, value)], &usual), Err(expected), "{name}");
    }
    let named = GrantRules {
        issuer: Some("https://authority.example".into()),
        client: Some("toolhost".into()),
    };
    let issuer = ("iss", json!("https://authority.example"));
    assert!(granted(&[issuer.clone(), ("client_id", json!("toolhost"))], &named).is_ok());
    assert_eq!(granted(&[issuer], &named), Err(AuthorityGrantError::Client));
    assert_eq!(
        granted(&[("client_id", json!("toolhost"))], &named),
        Err(AuthorityGrantError::Issuer)
    );
}

#[test]
fn a_grant_holds_for_its_own_caller_until_its_end_and_where_the_tenant_is_served() {
    let grant = granted(&[], &GrantRules::default()).unwrap();
    let bind = |principal: Arc<Principal>, tree: &Arc<Tree>, now| {
        Binding::from_grant(principal, &grant, 3, tree, now).map(|binding| binding.tenant().clone())
    };
    let (now, admin) = (grant.expires_at() - 1, || principal("ADMIN", Some("acme")));
    assert_eq!(bind(admin(), &tree(family()), now), Ok(id("globex")));
    let refused = Err(BindingError::TenantUnavailable);
    assert_eq!(bind(admin(), &tree(family()), now + 1), refused, "over");
    assert_eq!(
        bind(admin(), &suspended("globex"), now),
        refused,
        "suspended"
    );
    assert_eq!(
        bind(admin(), &suspended("acme"), now),
        refused,
        "home suspended"
    );
    let other = principal("ADMIN", Some("acme-us"));
    assert_eq!(bind(other, &tree(family()), now), refused, "another home");
    assert_eq!(
        bind(principal("ADMIN", None), &tree(family()), now),
        refused,
        "no home"
    );
}

proptest! {
    /// The reach says the same as a plain walk up the parents.
    #[test]
    fn the_reach_is_that_of_a_plain_walk(parents in prop::collection::vec(0usize..12, 12), suspended in 0usize..16) {
        let name = |n: usize| format!("t{n}");
        let tenants: Vec<_> = parents.iter().enumerate().map(|(n, parent)| Tenant {
            state: if n == suspended { TenantState::Suspended } else { TenantState::Active },
            // Only earlier ones, so that it is a tree.
            ..if *parent < n { tenant(&name(n), &name(*parent)) } else { tenant(&name(n), "") }
        }).collect();
        let tree = Arc::new(Tree::new(0, tenants.clone()).unwrap());
        prop_assert_eq!(tree.tree().len(), 12);
        let up = |mut n: usize| {
            let mut way = vec![n];
            while parents[n] < n { n = parents[n]; way.push(n); }
            way
        };
        for home in 0..12 {
            for target in 0..12 {
                let served = !up(home).contains(&suspended) && !up(target).contains(&suspended);
                let reach = |role| tree.reaches(role, Some(&id(&name(home))), &id(&name(target)));
                prop_assert_eq!(reach(Role::Superadmin), served);
                prop_assert_eq!(reach(Role::Owner), served && up(target).contains(&home));
                prop_assert_eq!(reach(Role::Admin), served && home == target);
            }
            for role in [Role::Superadmin, Role::Owner, Role::Admin] {
                let at_home = id(&name(home));
                let reached = tree.reachable(role, Some(&at_home));
                prop_assert_eq!(tree.reach_count(role, Some(&at_home)), reached.len());
                prop_assert!(!tree.reaches(role, Some(&at_home), &id("unheard")));
                prop_assert!(!tree.reaches(role, Some(&id("unheard")), &id("unheard")));
                prop_assert_eq!(tree.reach_count(role, Some(&id("unheard"))), 0);
                prop_assert_eq!(tree.reach_count(role, None), tree.reachable(role, None).len());
            }
        }
    }
}

/// Principals of an issuer that may name these tenants.
fn scoped(role: &str, key: &str, tenants: NamedTenants) -> Arc<Principal> {
    let mut claims = with("role", json!(role));
    claims["tenantId"] = json!(key);
    let mut rules = rules();
    rules.may_grant = vec![Role::Owner, Role::Superadmin];
    rules.tenants = Arc::new(TenantScope::among_others(support::ISSUER, tenants));
    Arc::new(check_claims(&claims, &rules).unwrap())
}

/// A8: switching obeys what the issuer may name, whatever the role is and whatever a remote
/// authority says.
#[test]
fn a8_no_role_and_no_grant_reaches_out_of_the_issuers_scope() {
    let tree = tree(family());
    let listed = || NamedTenants::Listed([id("acme"), id("acme-eu")].into());
    for (role, reached) in [
        ("admin", vec!["acme"]),
        ("owner", vec!["acme", "acme-eu"]),
        ("superadmin", vec!["acme", "acme-eu"]),
    ] {
        let who = scoped(role, "acme", listed());
        let caller = Caller::from_principal(who.clone(), &tree).unwrap();
        let list: Vec<_> = caller
            .reachable(&tree)
            .iter()
            .map(|tenant| tenant.id.to_string())
            .collect();
        assert_eq!(list, reached, "{role}");
        assert_eq!(caller.reach_count(&tree), reached.len());
        for tenant in tree.iter() {
            let is_reached = reached.contains(&tenant.id.as_str());
            assert_eq!(
                caller.reaches(&tree, &tenant.id),
                is_reached,
                "{role} {}",
                tenant.id
            );
            let bound = Binding::active(who.clone(), &tenant.id, 1, &tree);
            assert_eq!(bound.is_ok(), is_reached, "{role} {}", tenant.id);
        }
    }
    let who = scoped("admin", "acme", listed());
    let rules = GrantRules::default();
    let grant = |tenant: &str| {
        let token = scoped("admin", tenant, NamedTenants::All);
        AuthorityGrant::try_new(
            GrantId::new([1; 16]),
            &who,
            &token,
            &id(tenant),
            &rules,
            &tree,
        )
    };
    assert_eq!(grant("globex").unwrap_err(), AuthorityGrantError::Tenant);
    let granted = grant("acme-eu").unwrap();
    assert!(Binding::from_grant(who, &granted, 1, &tree, support::NOW).is_ok());
    let other = scoped("admin", "acme", NamedTenants::Listed([id("acme")].into()));
    assert!(Binding::from_grant(other, &granted, 1, &tree, support::NOW).is_err());
}

/// A19: `client_id` is ours and `azp` another's.
#[test]
fn a_grant_whose_authorized_party_is_another_is_refused() {
    let tree = tree(family());
    let of = |client: Option<&str>, azp: Option<&str>| {
        let mut claims = support::claims();
        if let Some(client) = client {
            claims["client_id"] = json!(client);
        }
        if let Some(azp) = azp {
            claims["azp"] = json!(azp);
        }
        check_claims(&claims, &rules()).unwrap()
    };
    let caller = of(Some("app"), None);
    let grant = |token: &Principal, rules: &GrantRules| {
        let made = AuthorityGrant::try_new(
            GrantId::new([1; 16]),
            &caller,
            token,
            &id("acme"),
            rules,
            &tree,
        );
        made.map(drop)
    };
    let own = GrantRules::default();
    assert_eq!(grant(&of(Some("app"), Some("app")), &own), Ok(()));
    assert_eq!(grant(&of(None, Some("app")), &own), Ok(()));
    assert_eq!(
        grant(&of(Some("app"), Some("other")), &own),
        Err(AuthorityGrantError::Client)
    );
    assert_eq!(
        grant(&of(None, Some("other")), &own),
        Err(AuthorityGrantError::Client)
    );
    // Under each name that a client has, and also where it is not a string.
    for (name, other) in [
        ("appid", json!("other")),
        ("cid", json!("other")),
        ("azp", json!(["app", "other"])),
        ("azp", json!(["app"])),
        ("cid", json!(7)),
    ] {
        let mut claims = support::claims();
        claims["client_id"] = json!("app");
        claims[name] = other;
        let token = check_claims(&claims, &rules()).unwrap();
        assert_eq!(
            grant(&token, &own),
            Err(AuthorityGrantError::Client),
            "{claims}"
        );
    }
    let host = GrantRules {
        issuer: None,
        client: Some("tool-host".into()),
    };
    assert_eq!(grant(&of(Some("tool-host"), None), &host), Ok(()));
    assert_eq!(
        grant(&of(Some("tool-host"), Some("app")), &host),
        Err(AuthorityGrantError::Client)
    );
}
