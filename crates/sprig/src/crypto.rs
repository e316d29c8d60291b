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

/// Steps that hashing a password or making a key counts as: it takes a tenth of a second, and hundreds may be wanted.
const SLOW: u64 = 500_000;

type Call = fn(&Context, Args<'_>) -> Result<Value, FuncError>;

pub(crate) fn register(funcs: &mut FuncMap) {
    let two = &[Type::String, Type::String];
    funcs.insert(
        "bcrypt",
        Func::new(&[Type::String], |ctx, a| {
            ctx.work(SLOW)?;
            Ok(Value::from(password::bcrypt(&Context::of(ctx), a.bytes(0))))
        }),
    );
    funcs.insert(
        "htpasswd",
        Func::new(two, |ctx, a| {
            if a.bytes(0).contains(&b':') {
                return Ok(Value::str([b"invalid username: ", a.bytes(0)].concat()));
            }
            ctx.work(SLOW)?;
            let hash = password::bcrypt(&Context::of(ctx), a.bytes(1));
            Ok(Value::str([a.bytes(0), b":", hash.as_bytes()].concat()))
        }),
    );
    funcs.insert(
        "derivePassword",
        Func::new(&[Type::Uint, Type::String, Type::String, Type::String, Type::String], |ctx, a| {
            ctx.work(SLOW)?;
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
            ctx.work(SLOW)?;
            Ok(Value::from(match key::generate(&Context::of(ctx), &a.str(0)) {
                Ok(key) => key.pem().to_owned(),
                Err(problem) => problem,
            }))
        }),
    );

    let certificates: &[(&str, &'static [Type], Call)] = &[
        ("genCA", &[Type::String, Type::Int], |context, a| authority(context, a, PrivateKey::rsa(context)?)),
        ("genCAWithKey", &[Type::String, Type::Int, Type::String], |context, a| {
            authority(context, a, given_key(a, 2)?)
        }),
        ("genSelfSignedCert", &[Type::String, Type::LIST, Type::LIST, Type::Int], |context, a| {
            self_signed(context, a, PrivateKey::rsa(context)?)
        }),
        ("genSelfSignedCertWithKey", &[Type::String, Type::LIST, Type::LIST, Type::Int, Type::String], |context, a| {
            self_signed(context, a, given_key(a, 4)?)
        }),
        ("genSignedCert", &[Type::String, Type::LIST, Type::LIST, Type::Int, CERTIFICATE], |context, a| {
            signed(context, a, PrivateKey::rsa(context)?)
        }),
        (
            "genSignedCertWithKey",
            &[Type::String, Type::LIST, Type::LIST, Type::Int, CERTIFICATE, Type::String],
            |context, a| signed(context, a, given_key(a, 5)?),
        ),
        ("buildCustomCert", two, |_, a| Ok(Value::host(Certificate::given(a.bytes(0), a.bytes(1))?))),
    ];
    for &(name, params, call) in certificates {
        let call = move |ctx: &mut landfall_gotemplate::CallCtx<'_>, a: Args<'_>| {
            ctx.work(SLOW)?;
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
