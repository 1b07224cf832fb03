// + - * / // % ** as Python has them. Integers are 64 bits; what would need more is refused.
#include <cmath>

#include "text/template/template_operators.hpp"

namespace nibble::jinja {
namespace {

Error too_large() { return error(Errc::unsupported, "an integer grows beyond 64 bits, which is not supported"); }
Error by_zero() { return error(Errc::bad_request, "a division by zero"); }

Result<Value> power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return by_zero();
    return Value(std::pow(double(base), double(exponent)));
  }
  if (base == 0 || base == 1) return Value(exponent == 0 ? 1 : base);
  if (base == -1) return Value(exponent % 2 == 0 ? 1 : -1);
  std::int64_t result = 1;
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(result, base, &result)) return too_large();
  }
  return Value(result);
}

Result<Value> of_integers(Kind kind, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (kind) {
    case Kind::add:
      return __builtin_add_overflow(a, b, &result) ? Result<Value>(too_large()) : Value(result);
    case Kind::subtract:
      return __builtin_sub_overflow(a, b, &result) ? Result<Value>(too_large()) : Value(result);
    case Kind::multiply:
      return __builtin_mul_overflow(a, b, &result) ? Result<Value>(too_large()) : Value(result);
    case Kind::power:
      return power(a, b);
    default:
      break;
  }
  if (b == 0) return by_zero();
  if (kind == Kind::divide) return Value(double((long double)a / (long double)b));
  if (b == -1) return kind == Kind::modulo ? Value(0) : of_integers(Kind::subtract, 0, a);
  const bool rounds_down = a % b != 0 && (a < 0) != (b < 0);
  return kind == Kind::modulo ? Value(a % b + (rounds_down ? b : 0)) : Value(a / b - rounds_down);
}

Result<Value> of_floats(Kind kind, double a, double b) {
  switch (kind) {
    case Kind::add:
      return Value(a + b);
    case Kind::subtract:
      return Value(a - b);
    case Kind::multiply:
      return Value(a * b);
    case Kind::power:
      if (a == 0 && b < 0) return by_zero();
      if (a < 0 && b != std::floor(b)) return error(Errc::unsupported, "a complex number is not supported");
      return Value(std::pow(a, b));
    default:
      break;
  }
  if (b == 0) return by_zero();
  if (kind == Kind::divide) return Value(a / b);
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) {
    rest += b;
    quotient -= 1;
  }
  if (kind == Kind::modulo) return Value(rest != 0 ? rest : std::copysign(0.0, b));
  if (quotient == 0) return Value(std::copysign(0.0, a / b));
  const double whole = std::floor(quotient);
  return Value(quotient - whole > 0.5 ? whole + 1 : whole);
}

// One of them is marked safe: the other is escaped, and the sum is safe.
Result<Value> joined(Rendering& rendering, const String& a, const String& b) {
  NIBBLE_CHECK(check_text_size(a.text.size() + b.text.size()));
  const bool safe = a.safe || b.safe;
  return rendering.text((safe && !a.safe ? escaped(a.text) : a.text) + (safe && !b.safe ? escaped(b.text) : b.text),
                        safe);
}

Result<Value> repeated(Rendering& rendering, const Value& value, std::int64_t times) {
  const auto count = std::size_t(std::max<std::int64_t>(times, 0));
  if (const auto* string = value.string()) {
    NIBBLE_CHECK(check_text_size(string->text.size(), count));
    std::string text;
    if (!string->text.empty()) {
      for (std::size_t i = 0; i < count; ++i) text += string->text;
    }
    return rendering.text(std::move(text), string->safe);
  }
  const List& list = *value.list();
  if (!list.items.empty() && count > Rendering::max_items / list.items.size())
    return error(Errc::unsupported, "a list of {} times {} items is too long", count, list.items.size());
  Values items;
  if (!list.items.empty()) {
    for (std::size_t i = 0; i < count; ++i) items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return rendering.list(std::move(items), list.sequence);
}

bool is_list(const Value& value) { return value.list() && value.list()->sequence <= Sequence::tuple; }

}  // namespace

Result<Value> arithmetic(Rendering& rendering, Kind kind, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b}) {
    if (value->is_undefined()) return value->use_of_undefined();
  }
  if (a.integer() && b.integer()) return of_integers(kind, *a.integer(), *b.integer());
  if (a.number() && b.number()) return of_floats(kind, *a.number(), *b.number());
  if (kind == Kind::add && a.string() && b.string()) return joined(rendering, *a.string(), *b.string());
  if (kind == Kind::add && is_list(a) && is_list(b) && a.list()->sequence == b.list()->sequence) {
    Values items = a.list()->items;
    items.insert(items.end(), b.list()->items.begin(), b.list()->items.end());
    return rendering.list(std::move(items), a.list()->sequence);
  }
  if (kind == Kind::multiply && (a.string() || is_list(a)) && b.integer()) return repeated(rendering, a, *b.integer());
  if (kind == Kind::multiply && (b.string() || is_list(b)) && a.integer()) return repeated(rendering, b, *a.integer());
  if (kind == Kind::modulo && a.string()) return error(Errc::unsupported, "formatting with % is not supported; use ~");
  static constexpr std::string_view symbols[] = {"+", "-", "*", "/", "//", "%", "**"};
  return error(Errc::bad_request, "{} {} {} is not defined", a.type_name(), symbols[int(kind) - int(Kind::add)],
               b.type_name());
}

Result<Value> negated(const Value& value) {
  if (value.is_undefined()) return value.use_of_undefined();
  if (value.integer()) return of_integers(Kind::subtract, 0, *value.integer());
  if (value.number()) return Value(-*value.number());
  return error(Errc::bad_request, "- {} is not defined", value.type_name());
}

}  // namespace nibble::jinja
