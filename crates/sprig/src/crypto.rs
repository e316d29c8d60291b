//! Sprig's `crypto.go`: passwords, keys and certificates.

mod certificate;
mod cipher;
mod der;
mod key;
mod password;
mod repeatable;

use landfall_gotemplate::{Args, Func, FuncError, FuncMap, Type, Value};

use crate::context::Context;
use certificate::{Certificate, Subject};
use key::PrivateKey;

const CERTIFICATE: Type = Type::Host("sprig.certificate");

/// Steps that hashing a password counts as. What is here is slow on purpose: each counts as less than the time that it
/// takes, so that a template may want as many as anybody has, and still ends within a minute or two.
const HASH: u64 = 100_000;
/// Steps of deriving a password.
const DERIVATION: u64 = 200_000;
/// Steps of an RSA key of a certificate.
const CERTIFICATE_KEY: u64 = 200_000;
/// Steps of an RSA key that stands alone: twice as long, and so much slower.
const LONG_KEY: u64 = 500_000;
/// Steps of a key on a curve, or of a signature.
const QUICK: u64 = 20_000;

type Call = fn(&Context, Args<'_>) -> Result<Value, FuncError>;

pub(crate) fn register(funcs: &mut FuncMap) {
    let two = &[Type::String, Type::String];
    funcs.insert(
        "bcrypt",
        Func::new(&[Type::String], |ctx, a| {
            ctx.work(HASH)?;
            Ok(Value::from(password::bcrypt(&Context::of(ctx), a.bytes(0))))
        }),
    );
    funcs.insert(
        "htpasswd",
        Func::new(two, |ctx, a| {
            if a.bytes(0).contains(&b':') {
                return Ok(Value::str([b"invalid username: ", a.bytes(0)].concat()));
            }
            ctx.work(HASH)?;
            let hash = password::bcrypt(&Context::of(ctx), a.bytes(1));
            Ok(Value::str([a.bytes(0), b":", hash.as_bytes()].concat()))
        }),
    );
    funcs.insert(
        "derivePassword",
        Func::new(&[Type::Uint, Type::String, Type::String, Type::String, Type::String], |ctx, a| {
            ctx.work(DERIVATION)?;
            Ok(Value::from(password::derive(a.int(0) as u32, &a.str(1), a.bytes(2), a.bytes(3), a.bytes(4))))
        }),
    );
    funcs.insert(
        "encryptAES",
        Func::new(two, |ctx, a| Ok(Value::from(cipher::encrypt(&Context::of(ctx), a.bytes(0), a.bytes(1))?))),
    );
    funcs.insert("decryptAES", Func::new(two, |_, a| Ok(Value::str(cipher::decrypt(a.bytes(0), a.bytes(1))?))));
    funcs.insert(
        "genPrivateKey",
        Func::new(&[Type::String], |ctx, a| {
            ctx.work(if matches!(a.bytes(0), b"" | b"rsa") { LONG_KEY } else { QUICK })?;
            Ok(Value::from(match key::generate(&Context::of(ctx), &a.str(0)) {
                Ok(key) => key.pem().to_owned(),
                Err(problem) => problem,
            }))
        }),
    );

    let certificates: &[(&str, u64, &'static [Type], Call)] = &[
        ("genCA", CERTIFICATE_KEY, &[Type::String, Type::Int], |context, a| {
            authority(context, a, PrivateKey::rsa(context)?)
        }),
        ("genCAWithKey", QUICK, &[Type::String, Type::Int, Type::String], |context, a| {
            authority(context, a, given_key(a, 2)?)
        }),
        ("genSelfSignedCert", CERTIFICATE_KEY, &[Type::String, Type::LIST, Type::LIST, Type::Int], |context, a| {
            self_signed(context, a, PrivateKey::rsa(context)?)
        }),
        (
            "genSelfSignedCertWithKey",
            QUICK,
            &[Type::String, Type::LIST, Type::LIST, Type::Int, Type::String],
            |context, a| self_signed(context, a, given_key(a, 4)?),
        ),
        (
            "genSignedCert",
            CERTIFICATE_KEY,
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
            ctx.work(steps)?;
            call(&Context::of(ctx), a)
        };
        funcs.insert(name, Func::new(params, call));
    }
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
