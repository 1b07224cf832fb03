// Errors are values: everything that a user or a file can cause is returned, never thrown. A function that returns a
// Result throws nothing of its own, also where memory runs out (Errc::out_of_memory); what a caller's callback throws
// passes through. One that returns a plain string or vector may throw std::bad_alloc, as these do.
//
// Threads: values like any other; each header says what may be called at the same time.
// Implemented here.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace nibble {

// What kind of failure it is; decides the exit code of the program (2: the request was wrong, 1: the job failed).
enum class Errc {
  bad_request,    // an argument is wrong                                    exit 2
  not_found,      // a file, folder or tensor does not exist                 exit 2
  unsupported,    // understood, but Nibble cannot do it                     exit 2
  corrupt_file,   // bytes that contradict their format                      exit 1
  out_of_memory,  // the message says how much, for what, and what would fit exit 1
  io_failure,     // the operating system refused                            exit 1
  cancelled,      // Ctrl-C or a callback asked to stop                      exit 1
  internal,       // a defect in Nibble                                      exit 1
};

struct Error {
  Errc code = Errc::internal;
  std::string message;  // what is wrong, where (file, tensor, byte, line), what to do next

  int exit_code() const {
    return code == Errc::bad_request || code == Errc::not_found || code == Errc::unsupported ? 2 : 1;
  }
  // The same error with its place put in front: "model.safetensors: header claims ...".
  Error at(const std::string& place) const { return {code, place + ": " + message}; }
};

// A T or an Error. Shaped after std::expected so that it can be replaced by it.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  bool has_value() const { return state_.index() == 0; }

  // Only after checking: a missing value ends the program, it is a defect of the caller.
  T& value() & { return check(), std::get<0>(state_); }
  const T& value() const& { return check(), std::get<0>(state_); }
  T&& value() && { return check(), std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const { return std::get<1>(state_); }

 private:
  void check() const {
    if (!has_value()) std::abort();
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  explicit operator bool() const { return !error_; }
  bool has_value() const { return !error_; }
  void value() const {
    if (error_) std::abort();
  }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

#define NIBBLE_JOIN_(a, b) a##b
#define NIBBLE_JOIN(a, b) NIBBLE_JOIN_(a, b)

// NIBBLE_TRY(auto x, expression): x is the value, or the error is returned upward.
#define NIBBLE_TRY(declaration, ...)                                                          \
  auto NIBBLE_JOIN(nibble_try_, __LINE__) = (__VA_ARGS__);                                    \
  if (!NIBBLE_JOIN(nibble_try_, __LINE__)) return NIBBLE_JOIN(nibble_try_, __LINE__).error(); \
  declaration = std::move(NIBBLE_JOIN(nibble_try_, __LINE__)).value()

// NIBBLE_CHECK(expression): the same for Result<void>.
#define NIBBLE_CHECK(...)                                                                 \
  do {                                                                                    \
    if (auto nibble_check_ = (__VA_ARGS__); !nibble_check_) return nibble_check_.error(); \
  } while (0)

}  // namespace nibble
