// Walks JSON text from front to back without building a tree: nine tenths of a tokenizer.json are one object and one
// list, and a tree of them costs more time than everything else about loading.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace nibble {

class JsonCursor {
 public:
  // `text` is valid UTF-8 and outlives the cursor. Errors say at which byte.
  explicit JsonCursor(std::string_view text);

  // The first byte of what comes next, 0 at the end: '{', '[', '"', a digit...
  char peek();
  // each(key) for every member; it must read the value. The key lives until it returns.
  template <class Each>
  Result<void> object(Each each);
  // each() for every element; it must read it.
  template <class Each>
  Result<void> array(Each each);
  // Points into the text, or into `storage` where the string has escapes.
  Result<std::string_view> string(std::string& storage);
  Result<std::int64_t> integer();
  // The text of a whole value; what is inside is not checked beyond strings and brackets.
  Result<std::string_view> value();
  // Nothing but white space may be left.
  Result<void> end();

  Error problem(std::string_view what) const;

 private:
  Result<void> expect(char wanted);
  Result<bool> more(char close);  // after an element: a comma, or the closing bracket
  Result<std::uint32_t> escaped_unit();

  std::string_view text_;
  std::size_t at_ = 0;
};

template <class Each>
Result<void> JsonCursor::object(Each each) {
  NIBBLE_CHECK(expect('{'));
  if (peek() == '}') return expect('}');
  std::string storage;
  for (bool another = true; another;) {
    NIBBLE_TRY(const std::string_view key, string(storage));
    NIBBLE_CHECK(expect(':'));
    NIBBLE_CHECK(each(key));
    NIBBLE_TRY(another, more('}'));
  }
  return {};
}

template <class Each>
Result<void> JsonCursor::array(Each each) {
  NIBBLE_CHECK(expect('['));
  if (peek() == ']') return expect(']');
  for (bool another = true; another;) {
    NIBBLE_CHECK(each());
    NIBBLE_TRY(another, more(']'));
  }
  return {};
}

}  // namespace nibble
