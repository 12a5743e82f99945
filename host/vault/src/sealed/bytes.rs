//! Reading and writing fields. Not serde: its buffers grow, and a buffer that grows leaves copies
//! of a secret behind.

/// Takes fields off the front of bytes that may be anything.
pub(super) struct FieldReader<'a>(pub(super) &'a [u8]);

impl<'a> FieldReader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// A field with its length before it.
    pub(super) fn field(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.field()?).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Bytes that [`put_field`] adds to those of the field.
pub(super) const FIELD: usize = 4;

/// Writes a field with its length before it. Every field is far shorter than 4 GiB: a record has at
/// most [`toolhost_store::MAX_VALUE`] bytes.
pub(super) fn put_field(onto: &mut Vec<u8>, field: &[u8]) {
    onto.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
    onto.extend_from_slice(field);
}
