//! Sprig's `numeric.go`: whole numbers by `int64`, decimals without surprises, ranges.

mod decimal;

use landfall_gotemplate::{Args, CallCtx, Data, Func, FuncError, FuncMap, List, Str, Type, Value, format};

use crate::cast::{NumberError, parse_int_radix, to_float64, to_int64};
use decimal::Decimal;

/// Longest list of numbers that is made.
const MAX_NUMBERS: usize = 4_000_000;

pub(crate) fn register(funcs: &mut FuncMap) {
    funcs.insert("int", Func::new(&[Type::Any], |_, a| Ok(Value::int(to_int64(a.any(0))))));
    funcs.insert("int64", Func::new(&[Type::Any], |_, a| Ok(Value::int64(to_int64(a.any(0))))));
    funcs.insert("float64", Func::new(&[Type::Any], |_, a| Ok(Value::from(to_float64(a.any(0))))));
    funcs.insert(
        "atoi",
        Func::new(&[Type::String], |_, a| {
            Ok(Value::int(match parse_int_radix(&a.str(0), 10) {
                Ok(number) | Err(NumberError::Range(number)) => number,
                Err(NumberError::Syntax) => 0,
            }))
        }),
    );
    funcs.insert(
        "toDecimal",
        Func::new(&[Type::Any], |_, a| {
            let text = Str::from(format::sprint(&[a.any(0).clone()]));
            Ok(Value::int64(parse_int_radix(&text.to_string_lossy(), 8).unwrap_or(0)))
        }),
    );

    funcs.insert("add1", Func::new(&[Type::Any], |_, a| Ok(Value::int64(to_int64(a.any(0)).wrapping_add(1)))));
    funcs.insert(
        "add",
        Func::variadic(&[], Type::Any, |_, a| {
            Ok(Value::int64(a.rest(0).iter().map(to_int64).fold(0, i64::wrapping_add)))
        }),
    );
    funcs.insert(
        "mul",
        Func::variadic(&[Type::Any], Type::Any, |_, a| {
            Ok(Value::int64(a.rest(0).iter().map(to_int64).fold(1, i64::wrapping_mul)))
        }),
    );
    funcs.insert(
        "sub",
        Func::new(&[Type::Any, Type::Any], |_, a| {
            Ok(Value::int64(to_int64(a.any(0)).wrapping_sub(to_int64(a.any(1)))))
        }),
    );
    funcs.insert("div", Func::new(&[Type::Any, Type::Any], |_, a| divided(a, i64::wrapping_div)));
    funcs.insert("mod", Func::new(&[Type::Any, Type::Any], |_, a| divided(a, i64::wrapping_rem)));
    for name in ["max", "biggest"] {
        funcs.insert(
            name,
            Func::variadic(&[Type::Any], Type::Any, |_, a| {
                Ok(Value::int64(a.rest(0).iter().map(to_int64).max().unwrap_or(0)))
            }),
        );
    }
    funcs.insert(
        "min",
        Func::variadic(&[Type::Any], Type::Any, |_, a| {
            Ok(Value::int64(a.rest(0).iter().map(to_int64).min().unwrap_or(0)))
        }),
    );
    funcs.insert("maxf", Func::variadic(&[Type::Any], Type::Any, |_, a| Ok(extreme(a, f64::max))));
    funcs.insert("minf", Func::variadic(&[Type::Any], Type::Any, |_, a| Ok(extreme(a, f64::min))));
    funcs.insert("ceil", Func::new(&[Type::Any], |_, a| Ok(Value::from(to_float64(a.any(0)).ceil()))));
    funcs.insert("floor", Func::new(&[Type::Any], |_, a| Ok(Value::from(to_float64(a.any(0)).floor()))));
    funcs.insert("round", Func::variadic(&[Type::Any, Type::Int], Type::Float64, round));

    funcs.insert(
        "add1f",
        Func::new(&[Type::Any], |_, a| {
            let one = Decimal::from_float(1.0)?;
            Ok(Value::from(Decimal::of(a.any(0))?.add(&one).to_float()))
        }),
    );
    funcs.insert(
        "addf",
        Func::variadic(&[], Type::Any, |_, a| {
            let mut sum = Decimal::from_float(0.0)?;
            for term in a.rest(0) {
                sum = sum.add(&Decimal::of(term)?);
            }
            Ok(Value::from(sum.to_float()))
        }),
    );
    funcs.insert("subf", Func::variadic(&[Type::Any], Type::Any, |_, a| folded(a, |a, b| Ok(a.sub(b)))));
    funcs.insert("mulf", Func::variadic(&[Type::Any], Type::Any, |_, a| folded(a, |a, b| Ok(a.mul(b)))));
    funcs.insert("divf", Func::variadic(&[Type::Any], Type::Any, |_, a| folded(a, Decimal::div)));

    funcs.insert(
        "until",
        Func::new(&[Type::Int], |ctx, a| {
            let step = if a.int(0) < 0 { -1 } else { 1 };
            numbers(ctx, &range(0, a.int(0), step)?)
        }),
    );
    funcs.insert(
        "untilStep",
        Func::new(&[Type::Int, Type::Int, Type::Int], |ctx, a| numbers(ctx, &range(a.int(0), a.int(1), a.int(2))?)),
    );
    funcs.insert("seq", Func::variadic(&[], Type::Int, seq));
}

fn divided(a: Args<'_>, by: fn(i64, i64) -> i64) -> Result<Value, FuncError> {
    match to_int64(a.any(1)) {
        0 => Err(FuncError::new("runtime error: integer divide by zero")),
        divisor => Ok(Value::int64(by(to_int64(a.any(0)), divisor))),
    }
}

/// Go's `math.Max` or `math.Min`, which hand NaN on.
fn extreme(a: Args<'_>, choose: fn(f64, f64) -> f64) -> Value {
    let pick = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { choose(a, b) };
    Value::from(a.rest(0).iter().map(to_float64).reduce(pick).unwrap_or(0.0))
}

fn round(_: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let round_on = if a.len() > 2 { a.float(2) } else { 0.5 };
    let power = 10f64.powf(a.int(1) as f64);
    let shifted = power * to_float64(a.any(0));
    let rounded = if shifted.fract() >= round_on { shifted.ceil() } else { shifted.floor() };
    Ok(Value::from(rounded / power))
}

fn folded(a: Args<'_>, step: impl Fn(&Decimal, &Decimal) -> Result<Decimal, FuncError>) -> Result<Value, FuncError> {
    let mut result = Decimal::of(a.any(0))?;
    for next in a.rest(1) {
        result = step(&result, &Decimal::of(next)?)?;
    }
    Ok(Value::from(result.to_float()))
}

/// The numbers from `start` towards `stop`, without it; none if `step` leads away.
fn range(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, FuncError> {
    let towards = if stop < start { step < 0 } else { step > 0 };
    if !towards {
        return Ok(Vec::new());
    }
    let count = start.abs_diff(stop).div_ceil(step.unsigned_abs());
    if count > MAX_NUMBERS as u64 {
        return Err(FuncError::new(format!("more than {MAX_NUMBERS} numbers")));
    }
    Ok((0..count as i64).map(|at| start + at * step).collect())
}

fn numbers(ctx: &mut CallCtx<'_>, list: &[i64]) -> Result<Value, FuncError> {
    ctx.work(list.len() as u64 / 8)?;
    Ok(Value::from(List::grown(Type::Int, list.iter().map(|number| Value::from(Data::Int(*number))).collect())))
}

/// Numbers as the shell's `seq` prints them, in one string.
fn seq(_: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let towards = |start: i64, end: i64| if end < start { -1i64 } else { 1 };
    let (start, step, end) = match a.len() {
        1 => (1, towards(1, a.int(0)), a.int(0)),
        2 => (a.int(0), towards(a.int(0), a.int(1)), a.int(1)),
        3 if a.int(2) < a.int(0) && a.int(1) > 0 => return Ok(Value::from("")),
        3 => (a.int(0), a.int(1), a.int(2)),
        _ => return Ok(Value::from("")),
    };
    let shown: Vec<String> =
        range(start, end.saturating_add(towards(start, end)), step)?.iter().map(i64::to_string).collect();
    Ok(Value::from(shown.join(" ")))
}
