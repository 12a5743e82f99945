//! What an introspection endpoint's answer must have: RFC 7662, T26.

use crate::support;

use serde_json::{Value, json};
use support::{NOW, claims, rules};
use toolhost_identity::{Principal, TokenError, verify_introspection};

fn answered(change: &[(&str, Value)]) -> Result<Principal, TokenError> {
    let mut answer = claims();
    answer["active"] = json!(true);
    for (name, value) in change {
        match value {
            Value::Null => drop(answer.as_object_mut().unwrap().remove(*name)),
            value => answer[*name] = value.clone(),
        }
    }
    verify_introspection(answer.as_object().unwrap().clone(), &rules(), NOW)
}

#[test]
fn t26_only_active_true_is_active() {
    assert_eq!(answered(&[]).unwrap().tenant_key(), Some("acme"));
    for active in [
        json!(false),
        json!("true"),
        json!(1),
        json!([true]),
        Value::Null,
    ] {
        assert_eq!(
            answered(&[("active", active.clone())]),
            Err(TokenError::Inactive),
            "{active}"
        );
    }
}

#[test]
fn an_answer_is_held_to_what_a_token_is_held_to() {
    for (name, value, expected) in [
        ("iss", Value::Null, TokenError::Missing("iss")),
        ("iss", json!("https://other.example"), TokenError::Issuer),
        ("aud", Value::Null, TokenError::Missing("aud")),
        ("aud", json!("https://other.example"), TokenError::Audience),
        ("exp", Value::Null, TokenError::Missing("exp")),
        ("exp", json!(NOW - 31), TokenError::Expired),
        ("nbf", json!(NOW + 31), TokenError::NotYet),
        ("sub", Value::Null, TokenError::Missing("sub")),
        ("tenantId", json!(7), TokenError::TenantClaim),
    ] {
        assert_eq!(answered(&[(name, value)]), Err(expected), "{name}");
    }
    let mut scoped = rules();
    scoped.scopes = vec!["tools".into()];
    let mut answer = claims();
    answer["active"] = json!(true);
    let answer = answer.as_object().unwrap().clone();
    assert_eq!(
        verify_introspection(answer, &scoped, NOW),
        Err(TokenError::Scope)
    );
}

/// A19: a refresh token is active at its issuer too.
#[test]
fn what_the_issuer_says_is_no_access_token_is_no_caller() {
    for (name, value, expected) in [
        ("token_type", "refresh_token", TokenError::Type),
        ("token_type", "Refresh", TokenError::Type),
        ("token_type", "id_token", TokenError::Type),
        ("token_use", "refresh_token", TokenError::Type),
        ("token_use", "id", TokenError::IdToken),
        ("typ", "Refresh", TokenError::Type),
        ("typ", "Offline", TokenError::Type),
        ("typ", "ID", TokenError::IdToken),
        ("at_hash", "x", TokenError::IdToken),
    ] {
        assert_eq!(
            answered(&[(name, json!(value))]),
            Err(expected),
            "{name} {value}"
        );
    }
    assert_eq!(answered(&[("token_type", json!(1))]), Err(TokenError::Type));
    for good in [
        "Bearer",
        "bearer",
        "access_token",
        "urn:ietf:params:oauth:token-type:access_token",
    ] {
        assert!(answered(&[("token_type", json!(good))]).is_ok(), "{good}");
    }
}
