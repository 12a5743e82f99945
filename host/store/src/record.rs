/// The longest value: what a plugin may keep, and room for what is kept beside it.
pub const MAX_VALUE: usize = 1 << 20;

/// A value with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The bytes.
    pub value: Vec<u8>,
    /// The space's revision when it was written. It grows with every change in the space, so a
    /// record that was removed and made again has another one.
    pub version: u64,
}
