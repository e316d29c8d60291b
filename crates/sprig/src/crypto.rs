//! Sprig's `crypto.go`: passwords, keys and certificates.

mod certificate;
mod cipher;
mod key;
mod password;
mod repeatable;

use landfall_gotemplate::{Args, Func, FuncError, FuncMap, Type, Value};

use crate::context::Context;
use certificate::{Certificate, Subject};
use key::PrivateKey;

const CERTIFICATE: Type = Type::Host("sprig.certificate");

/// Steps that hashing a password counts as: 80 in a render. What is here is slow on purpose, and counts as the time that
/// it takes, so that a render has as many as anybody needs, and still ends within seconds.
pub const HASH_STEPS: u64 = 1_250_000;
/// Steps of deriving a password: 25 in a render.
pub const DERIVATION_STEPS: u64 = 4_000_000;
/// Steps of an RSA key of a certificate, a tenth of a second each: 80 in a render. Charts that put a checksum of their certificates beside each workload make them
/// anew for each (Harbor's more than fifty).
pub const CERTIFICATE_KEY_STEPS: u64 = 1_250_000;
/// Steps of an RSA key that stands alone, twice as long and so much slower: 8 in a render.
pub const LONG_KEY_STEPS: u64 = 12_500_000;
/// Steps of a key on a curve, or of a signature.
const QUICK: u64 = 50_000;
/// How much longer an RSA key takes that has to follow from random numbers handed in.
const REPEATED: u64 = 5;

type Call = fn(&Context, Args<'_>) -> Result<Value, FuncError>;

pub(crate) fn register(funcs: &mut FuncMap) {
    let two = &[Type::String, Type::String];
    funcs.insert(
        "bcrypt",
        Func::new(&[Type::String], |ctx, a| {
            ctx.work(HASH_STEPS)?;
            Ok(Value::from(password::bcrypt(&Context::of(ctx)?, a.bytes(0))))
        }),
    );
    funcs.insert(
        "htpasswd",
        Func::new(two, |ctx, a| {
            if a.bytes(0).contains(&b':') {
                return Ok(Value::str([b"invalid username: ", a.bytes(0)].concat()));
            }
            ctx.work(HASH_STEPS)?;
            let hash = password::bcrypt(&Context::of(ctx)?, a.bytes(1));
            Ok(Value::str([a.bytes(0), b":", hash.as_bytes()].concat()))
        }),
    );
    funcs.insert(
        "derivePassword",
        Func::new(&[Type::Uint, Type::String, Type::String, Type::String, Type::String], |ctx, a| {
            ctx.work(DERIVATION_STEPS)?;
            Ok(Value::from(password::derive(a.int(0) as u32, &a.str(1), a.bytes(2), a.bytes(3), a.bytes(4))))
        }),
    );
    funcs.insert(
        "encryptAES",
        Func::new(two, |ctx, a| Ok(Value::from(cipher::encrypt(&Context::of(ctx)?, a.bytes(0), a.bytes(1))?))),
    );
    funcs.insert("decryptAES", Func::new(two, |_, a| Ok(Value::str(cipher::decrypt(a.bytes(0), a.bytes(1))?))));
    funcs.insert(
        "genPrivateKey",
        Func::new(&[Type::String], |ctx, a| {
            let context = Context::of(ctx)?;
            ctx.work(if matches!(a.bytes(0), b"" | b"rsa") { LONG_KEY_STEPS * slower(&context) } else { QUICK })?;
            Ok(Value::from(match key::generate(&context, &a.str(0)) {
                Ok(key) => key.pem().to_owned(),
                Err(problem) => problem,
            }))
        }),
    );

    let certificates: &[(&str, u64, &'static [Type], Call)] = &[
        ("genCA", CERTIFICATE_KEY_STEPS, &[Type::String, Type::Int], |context, a| {
            authority(context, a, PrivateKey::rsa(context)?)
        }),
        ("genCAWithKey", QUICK, &[Type::String, Type::Int, Type::String], |context, a| {
            authority(context, a, given_key(a, 2)?)
        }),
        (
            "genSelfSignedCert",
            CERTIFICATE_KEY_STEPS,
            &[Type::String, Type::LIST, Type::LIST, Type::Int],
            |context, a| self_signed(context, a, PrivateKey::rsa(context)?),
        ),
        (
            "genSelfSignedCertWithKey",
            QUICK,
            &[Type::String, Type::LIST, Type::LIST, Type::Int, Type::String],
            |context, a| self_signed(context, a, given_key(a, 4)?),
        ),
        (
            "genSignedCert",
            CERTIFICATE_KEY_STEPS,
            &[Type::String, Type::LIST, Type::LIST, Type::Int, CERTIFICATE],
            |context, a| signed(context, a, PrivateKey::rsa(context)?),
        ),
        (
            "genSignedCertWithKey",
            QUICK,
            &[Type::String, Type::LIST, Type::LIST, Type::Int, CERTIFICATE, Type::String],
            |context, a| signed(context, a, given_key(a, 5)?),
        ),
        ("buildCustomCert", QUICK, two, |_, a| Ok(Value::host(Certificate::given(a.bytes(0), a.bytes(1))?))),
    ];
    for &(name, steps, params, call) in certificates {
        let call = move |ctx: &mut landfall_gotemplate::CallCtx<'_>, a: Args<'_>| {
            let context = Context::of(ctx)?;
            ctx.work(if steps == CERTIFICATE_KEY_STEPS { steps * slower(&context) } else { steps })?;
            call(&context, a)
        };
        funcs.insert(name, Func::new(params, call));
    }
}

/// How many times as long an RSA key takes.
fn slower(context: &Context) -> u64 {
    if context.random.is_sequence() && context.random.keys().is_none() { REPEATED } else { 1 }
}

fn given_key(a: Args<'_>, at: usize) -> Result<PrivateKey, FuncError> {
    PrivateKey::parse(a.bytes(at)).map_err(|problem| FuncError::new(format!("parsing private key: {problem}")))
}

fn authority(context: &Context, a: Args<'_>, key: PrivateKey) -> Result<Value, FuncError> {
    let subject = Subject { name: &a.str(0), addresses: None, hosts: None, days: a.int(1) };
    Ok(Value::host(Certificate::authority(context, &subject, &key)?))
}

fn self_signed(context: &Context, a: Args<'_>, key: PrivateKey) -> Result<Value, FuncError> {
    let name = a.str(0);
    let subject = Subject { name: &name, addresses: a.any(1).as_list(), hosts: a.any(2).as_list(), days: a.int(3) };
    Ok(Value::host(Certificate::self_signed(context, &subject, &key)?))
}

fn signed(context: &Context, a: Args<'_>, key: PrivateKey) -> Result<Value, FuncError> {
    let Some(authority) = a.any(4).as_host::<Certificate>() else {
        return Err(FuncError::new("unable to decode certificate"));
    };
    let name = a.str(0);
    let subject = Subject { name: &name, addresses: a.any(1).as_list(), hosts: a.any(2).as_list(), days: a.int(3) };
    Ok(Value::host(Certificate::signed(context, &subject, &key, authority)?))
}
