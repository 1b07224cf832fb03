#include "nibble/build_facts.hpp"

#include "base/build_commit.hpp"

namespace nibble {

const BuildFacts& build_facts() {
  static const BuildFacts facts = {NIBBLE_VERSION, build_commit(), NIBBLE_COMPILER, NIBBLE_BUILD_TYPE};
  return facts;
}

std::string build_line() {
  const BuildFacts& facts = build_facts();
  std::string out = "nibble " + std::string(facts.version) + " (commit ";
  return out.append(facts.commit).append(", ").append(facts.compiler).append(", ").append(facts.build_type) + ")";
}

}  // namespace nibble
