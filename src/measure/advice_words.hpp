// Advice in words: why this precision, and what to type.
#pragma once

#include "measure/subject.hpp"
#include "nibble/advise.hpp"

namespace nibble {

inline constexpr std::int64_t most_sequences = 1024;  // more are not counted

struct AdviceWords {
  const Subject& subject;
  const Advice& advice;                // without words
  const std::filesystem::path& model;  // empty: a published shape
  std::int64_t wanted_context = 0;
  std::int64_t least_context = 0;
  std::uint64_t least = 0;   // memory that the narrowest wants with the least context
  std::uint64_t needed = 0;  // by the choice, as recommended

  std::string reason() const;
  std::string command() const;
  std::string on_a_card() const;

 private:
  std::string why_nothing_fits() const;
  std::string why_it_is_chosen() const;
  const Fit* wider_than_choice() const;  // null: there is none
  std::string room() const;
};

}  // namespace nibble
