use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use toolhost_policy::{AuthPlacement, secrets_of_parts};

/// A part of a credential that must not come back.
#[derive(PartialEq, Eq)]
pub(crate) struct NeedlePart {
    pub(crate) bytes: Vec<u8>,
    pub(crate) spelling: Spelling,
}

/// In how many ways a part is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// The part as it is, and normalised.
    Plain,
    /// In every encoding.
    Encoded,
    /// In every encoding, and in pieces; so many of the first bytes are what every secret of its
    /// kind begins with.
    Pieces(usize),
}

/// A password alone is searched for from this length on; a shorter one is found together with its
/// user only, for it would be found in ordinary words.
const MIN_ALONE: usize = 8;

/// What is searched for where a credential goes out in this way.
pub(crate) fn needle_parts(secret: &[u8], auth: &AuthPlacement) -> Vec<NeedlePart> {
    if let AuthPlacement::Parts(placed) = auth {
        // Where it cannot be taken apart nothing of it is sent.
        let secrets = secrets_of_parts(placed, secret).unwrap_or_default();
        let all = placed.iter().zip(&secrets);
        return all
            .flat_map(|(part, secret)| needle_parts(secret.expose(), &part.auth))
            .collect();
    }
    if !matches!(auth, AuthPlacement::Basic) {
        return token(secret);
    }
    let mut parts = vec![
        NeedlePart {
            bytes: secret.to_vec(),
            spelling: Spelling::Encoded,
        },
        NeedlePart {
            bytes: STANDARD.encode(secret).into_bytes(),
            spelling: Spelling::Encoded,
        },
    ];
    let colon = secret.iter().position(|&byte| byte == b':');
    let (user, password) = secret.split_at(colon.unwrap_or(0));
    let password = password.strip_prefix(b":").unwrap_or(password);
    if password.len() >= MIN_ALONE {
        parts.extend(token(password));
    } else if password.is_empty() && user.len() >= MIN_ALONE {
        // An API key in the place of the user, as many payment systems have it.
        parts.extend(token(user));
    }
    parts
}

fn token(secret: &[u8]) -> Vec<NeedlePart> {
    let Some((payload, signature)) = jwt(secret) else {
        let spelling = Spelling::Pieces(shared_prefix(secret));
        return vec![NeedlePart {
            bytes: secret.to_vec(),
            spelling,
        }];
    };
    // The header is the same in every token of an issuer, and so is the start of the payload
    // (`iss`, `aud`): another token in a response is not a reflection of this one. What only this
    // token has is its signature, and the payload as a whole.
    vec![
        NeedlePart {
            bytes: secret.to_vec(),
            spelling: Spelling::Plain,
        },
        NeedlePart {
            bytes: payload.to_vec(),
            spelling: Spelling::Plain,
        },
        NeedlePart {
            bytes: signature.to_vec(),
            spelling: Spelling::Pieces(0),
        },
    ]
}

/// Payload and signature of a JSON Web Token in its compact form (RFC 7519 section 3).
fn jwt(secret: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut segments = secret.split(|&byte| byte == b'.');
    let (header, payload, signature) = (segments.next()?, segments.next()?, segments.next()?);
    let decoded = URL_SAFE_NO_PAD.decode(header).ok()?;
    let is_header = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&decoded)
        .is_ok_and(|header| header.contains_key("alg"));
    // Without a signature of some length the parts would give nothing to search for: such a one is
    // an opaque text.
    let whole =
        segments.next().is_none() && payload.len() >= MIN_ALONE && signature.len() >= 2 * MIN_ALONE;
    (is_header && whole).then_some((payload, signature))
}

/// The longest beginning that a kind of token shares, such as `sk_live_`, `github_pat_` or
/// `sk-ant-api03-`.
const MAX_SHARED: usize = 16;

/// How much must stand behind a shared beginning.
const MIN_UNSHARED: usize = 16;

/// The most digits in a word of a shared beginning (`api03`). More of them are a number, which is
/// the secret's own.
const MAX_DIGITS: usize = 2;

/// Where the part of a token begins that only this token has: behind short lower-case words that
/// end in `_` or `-`. Documents are full of `sk-ant-api03-…`, and a piece of that alone is nobody's
/// secret. The groups of a UUID are no words.
fn shared_prefix(secret: &[u8]) -> usize {
    if secret
        .iter()
        .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
    {
        return 0;
    }
    let is_word = |word: &[u8]| {
        let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
        word.first().is_some_and(u8::is_ascii_lowercase)
            && word
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && digits <= MAX_DIGITS
    };
    let longest = MAX_SHARED.min(secret.len().saturating_sub(MIN_UNSHARED));
    let mut end = 0;
    while let Some(rest) = secret.get(end..longest)
        && let Some(at) = rest.iter().position(|byte| matches!(byte, b'_' | b'-'))
        && rest.get(..at).is_some_and(is_word)
    {
        end += at + 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use toolhost_policy::AuthPlacement;

    use super::{Spelling, needle_parts, shared_prefix};

    const JWT: &[u8] = b"eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIn0.c2lnbmF0dXJlLW9mLXRoaXMtdG9rZW4";

    #[test]
    fn the_header_of_a_jwt_is_no_part() {
        let parts = needle_parts(JWT, &AuthPlacement::Bearer);
        assert!(
            parts
                .iter()
                .all(|part| part.bytes == JWT || !part.bytes.starts_with(b"eyJhbGci"))
        );
        assert_eq!(parts[2].spelling, Spelling::Pieces(0));
        assert!(parts[0].spelling == Spelling::Plain && parts[1].spelling == Spelling::Plain);
    }

    #[test]
    fn what_only_looks_like_a_jwt_is_searched_for_whole() {
        for text in [
            &b"eyJhbGci.eyJpc3MiOiJ4In0.c2lnbmF0dXJlLW9mLXRo"[..],
            b"a.b.c",
            b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.",
        ] {
            assert_eq!(needle_parts(text, &AuthPlacement::Bearer).len(), 1);
        }
    }

    #[test]
    fn basic_covers_both_parts_as_one_and_what_goes_on_the_wire() {
        let parts = needle_parts(b"alice:s3cr3t-pass", &AuthPlacement::Basic);
        let has = |bytes: &[u8]| parts.iter().any(|part| part.bytes == bytes);
        assert!(
            has(b"alice:s3cr3t-pass")
                && has(b"YWxpY2U6czNjcjN0LXBhc3M=")
                && has(b"s3cr3t-pass")
                && !has(b"alice")
        );
        let key = needle_parts(b"sk_live_0123456789:", &AuthPlacement::Basic);
        assert!(key.iter().any(|part| part.bytes == b"sk_live_0123456789"));
    }

    #[test]
    fn a_shared_beginning_is_left_out_of_the_pieces() {
        assert_eq!(shared_prefix(b"sk_live_4eC39HqLyjWDarjtT1zdp7dc"), 8);
        assert_eq!(shared_prefix(b"sk-ant-api03-AbCdEfGhIjKlMnOpQrSt"), 13);
        assert_eq!(shared_prefix(b"github_pat_11ABCDEFGHIJKLMNOP"), 11);
        assert_eq!(shared_prefix(b"4eC39HqLyj_WDarjtT1zdp7dc"), 0);
        assert_eq!(shared_prefix(b"sk_short"), 0);
        assert_eq!(shared_prefix(b"sk-proj-AbCdEfGhIjKlMnOpQrSt"), 8);
        assert_eq!(shared_prefix(b"550e8400-e29b-41d4-a716-446655440000"), 0);
        assert_eq!(shared_prefix(b"deadbeef-cafe-41d4-a716-446655440000"), 0);
        assert_eq!(shared_prefix(b"xoxb-2345678901234-567890123456-AbC"), 5);
        assert_eq!(shared_prefix(b"a1b2c3d4-e5f6g7h8-i9j0k1l2-m3n4o5p6"), 0);
    }
}
