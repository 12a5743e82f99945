use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_policy::{OperationMode, PluginName};
use toolhost_store::{Key, MemoryStore, Space, Store, StoreError, Table};

use super::{Assignment, AssignmentError, AssignmentRules, Assignments, ToolChoice};

struct AssignmentFixture {
    store: Arc<MemoryStore>,
    assignments: Assignments,
    acme: TenantSpace,
    globex: TenantSpace,
}

async fn place() -> AssignmentFixture {
    let store = Arc::new(MemoryStore::default());
    let by = Operator::of_this_process();
    let space = |name| TenantSpace::of_operator(TenantId::parse(name).unwrap(), &by);
    let (acme, globex) = (space("acme"), space("globex"));
    for space in [&acme, &globex] {
        store.create(space).await.unwrap();
    }
    AssignmentFixture {
        assignments: Assignments::new(Arc::clone(&store) as _, None),
        store,
        acme,
        globex,
    }
}

fn billing() -> PluginName {
    PluginName::parse("billing").unwrap()
}

fn only(tools: &[&str]) -> Assignment {
    Assignment {
        tools: ToolChoice::Only(tools.iter().map(|&tool| tool.to_owned()).collect()),
        mode: Some(OperationMode::Standard),
    }
}

#[tokio::test]
async fn what_is_said_of_a_tenant_is_in_its_own_space_and_is_forgotten_when_it_is_said_anew() {
    let place = place().await;
    let before = place.assignments.changes(place.acme.tenant());
    let assigned = place
        .assignments
        .assign(&place.acme, &billing(), &only(&["list"]))
        .await;
    assigned.unwrap();
    let between = place.assignments.changes(place.acme.tenant());
    assert_ne!(before, between);
    let set = place
        .assignments
        .set_mode(&place.acme, OperationMode::ReadOnly)
        .await;
    set.unwrap();
    assert_ne!(between, place.assignments.changes(place.acme.tenant()));
    let said = place.assignments.load(&place.acme).await.unwrap();
    assert_eq!(said.plugins, BTreeMap::from([(billing(), only(&["list"]))]));
    assert_eq!(said.mode, Some(OperationMode::ReadOnly));
    assert_eq!(
        place.assignments.load(&place.globex).await.unwrap(),
        Default::default()
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_never_taken_for_nothing() {
    let place = place().await;
    let key = Key::new(Table::Assignment, &[b"plugins"], b"billing").unwrap();
    let space = Space::Tenant(place.acme.clone());
    place
        .store
        .put(&space, &key, b"{\"tool\":[]}".to_vec())
        .await
        .unwrap();
    let read = place.assignments.load(&place.acme).await;
    assert!(matches!(read, Err(AssignmentError::Damaged(_))), "{read:?}");
    place.store.destroy(&place.globex).await.unwrap();
    let read = place.assignments.load(&place.globex).await;
    let unknown = AssignmentError::Store(StoreError::UnknownSpace {
        space: String::new(),
    });
    assert_eq!(
        std::mem::discriminant(&read.unwrap_err()),
        std::mem::discriminant(&unknown)
    );
}

#[tokio::test]
async fn an_assignment_names_what_is_served() {
    let place = place().await;
    let none = place
        .assignments
        .check("billing", &only(&["list"]))
        .unwrap_err();
    assert!(none.to_string().contains("there are no plugins"), "{none}");
    let tools = BTreeSet::from(["list_invoices".to_owned(), "refund".to_owned()]);
    place.assignments.serve(
        AssignmentRules::default(),
        BTreeMap::from([(billing(), tools)]),
    );
    assert_eq!(
        place
            .assignments
            .check("billing", &only(&["refund"]))
            .unwrap(),
        billing()
    );
    let tool = place
        .assignments
        .check("billing", &only(&["list_invoice"]))
        .unwrap_err();
    assert!(
        tool.to_string().ends_with("did you mean list_invoices?"),
        "{tool}"
    );
    let plugin = place
        .assignments
        .check("Billing", &only(&["refund"]))
        .unwrap_err();
    assert!(
        plugin.to_string().ends_with("did you mean billing?"),
        "{plugin}"
    );
    let far = place.assignments.check("zz", &only(&[])).unwrap_err();
    assert!(
        far.to_string().ends_with("plugins that there are: billing"),
        "{far}"
    );
}
