//! Random strings and numbers.

use base64::Engine as _;
use landfall_gotemplate::{Func, FuncError, FuncMap, Type, Value};

use crate::context::Context;
use crate::text::{MAX_MADE, bounded};

/// The steps that a letter costs, which asks the system's generator.
pub(crate) const DRAWN: u64 = 8;

pub(crate) fn register(funcs: &mut FuncMap) {
    let letters: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').collect();
    let digits: Vec<u8> = (b'0'..=b'9').collect();
    let both = [&letters[..], &digits[..]].concat();
    let ascii: Vec<u8> = (b' '..=b'~').collect();
    for (name, alphabet) in
        [("randAlpha", letters), ("randNumeric", digits), ("randAlphaNum", both), ("randAscii", ascii)]
    {
        funcs.insert(
            name,
            Func::new(&[Type::Int], move |ctx, a| {
                // A negative count is an error that Sprig drops: nothing comes out.
                let count = usize::try_from(a.int(0)).unwrap_or(0);
                bounded(count)?;
                ctx.work(count as u64 * DRAWN)?;
                let context = Context::of(ctx)?;
                let text: Vec<u8> =
                    (0..count).map(|_| alphabet[context.below(alphabet.len() as u64) as usize]).collect();
                Ok(Value::str(text))
            }),
        );
    }
    funcs.insert(
        "randInt",
        Func::new(&[Type::Int, Type::Int], |ctx, a| {
            let (least, limit) = (a.int(0), a.int(1));
            match limit.checked_sub(least) {
                Some(span) if span > 0 => Ok(Value::int(least + Context::of(ctx)?.below(span as u64) as i64)),
                _ => Err(FuncError::new("invalid argument to Intn")),
            }
        }),
    );
    funcs.insert(
        "randBytes",
        Func::new(&[Type::Int], |ctx, a| {
            let Some(count) = usize::try_from(a.int(0)).ok().filter(|count| *count <= MAX_MADE) else {
                return Err(FuncError::new("runtime error: makeslice: len out of range"));
            };
            let mut bytes = vec![0; count];
            Context::of(ctx)?.random.fill(&mut bytes);
            Ok(Value::from(base64::engine::general_purpose::STANDARD.encode(bytes)))
        }),
    );
    funcs.insert(
        "uuidv4",
        Func::new(&[], |ctx, _| {
            let mut bytes = [0; 16];
            Context::of(ctx)?.random.fill(&mut bytes);
            bytes[6] = bytes[6] & 0x0F | 0x40;
            bytes[8] = bytes[8] & 0x3F | 0x80;
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(Value::from([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")))
        }),
    );
}
