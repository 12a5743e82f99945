use std::io::Read;

/// A secret that nobody had before: a prefix and 40 hexadecimal digits.
#[must_use]
pub fn random_secret(prefix: &str) -> String {
    let mut bytes = [0_u8; 20];
    let mut file = std::fs::File::open("/dev/urandom").unwrap();
    file.read_exact(&mut bytes).unwrap();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}{digits}")
}
