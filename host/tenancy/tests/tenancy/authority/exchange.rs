//! The exchange of RFC 8693.

use toolhost_tenancy::{Reach, SwitchTarget};

use crate::authority::exchange;
use crate::support::town::{FakePost, Town, answer, claims};

#[tokio::test]
async fn n7_a_token_exchange_asks_as_rfc_8693_says_and_takes_a_token_of_the_hosts_client() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(
        |request| request.client = Some("toolhost".into()),
        "olga",
        "acme-eu",
    );
    let post = FakePost::new(move |_| answer(200, &granted));
    let switch = town.switch_by(exchange(&town, post.clone()));
    switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    {
        let asked = post.asked.lock().unwrap();
        let form: std::collections::BTreeMap<String, String> =
            url::form_urlencoded::parse(&asked[0].body)
                .into_owned()
                .collect();
        assert_eq!(
            form["grant_type"],
            "urn:ietf:params:oauth:grant-type:token-exchange"
        );
        assert_eq!(claims(&form["subject_token"])["sub"], "olga");
        assert_eq!(form["scope"], "tenant:acme-eu");
        assert_eq!(form["audience"], "https://api.example");
        assert_eq!(form.len(), 6);
        assert!(
            asked[0]
                .authorization
                .as_ref()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("Basic ")
        );
    }
    for client in [None, Some("other")] {
        let body = town.granting(
            |request| request.client = client.map(Into::into),
            "olga",
            "acme-us",
        );
        post.now(move |_| answer(200, &body));
        assert!(
            switch
                .session(&session, &owner, SwitchTarget::Tenant("acme-us"))
                .await
                .is_err()
        );
    }
}
