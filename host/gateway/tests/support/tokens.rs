use std::sync::Arc;
use toolhost_tenancy::Tenancy;

pub fn tenancy() -> Arc<Tenancy> { Arc::new(Tenancy { dev: false }) }
pub fn development() -> Arc<Tenancy> { Arc::new(Tenancy { dev: true }) }
pub fn token(tenant: &str, subject: &str) -> String { token_for(tenant, subject, 3600) }
pub fn token_for(tenant: &str, subject: &str, seconds: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    format!("{tenant}:{subject}:{}", now + seconds)
}
