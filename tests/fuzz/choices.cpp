#include "choices.hpp"

#include <iterator>

namespace {

constexpr int most_changes = 12;

// A value somewhere in the tree; the way down may end at any container.
FuzzJson& somewhere(FuzzJson& tree, Choices& choices) {
  FuzzJson* at = &tree;
  while (at->is_structured() && !at->empty() && choices.below(6) != 5)
    at = &*std::next(at->begin(), std::ptrdiff_t(choices.below(at->size())));
  return *at;
}

FuzzJson odd_value(Choices& choices, const std::vector<std::string>& words) {
  const auto word = [&] { return words.empty() ? std::string() : choices.one_of(words); };
  switch (choices.below(10)) {
    case 0:
      return nullptr;
    case 1:
      return choices.below(2) == 1;
    case 2:
      return edge_of_integers(choices);
    case 3:
      return std::int64_t(edge_of_integers(choices));
    case 4: {
      constexpr double numbers[] = {0.0, -0.0, 0.5, -1.5, 1e-320, 1e300, -1e308, 3.4e38, 1e-7, 4294967296.5};
      return choices.one_of(numbers);
    }
    case 5:
      return FuzzJson::array();
    case 6:
      return FuzzJson::object();
    case 7:
      return word();
    case 8: {  // one character or two, many times
      std::string text, unit = word();
      for (std::size_t i = choices.below(400); i > 0 && text.size() < 4000; --i) text += unit;
      return text;
    }
    default:
      return std::int64_t(choices.below(300));
  }
}

void change_member(FuzzJson& object, Choices& choices, const std::vector<std::string>& words) {
  const auto member = std::next(object.begin(), std::ptrdiff_t(choices.below(object.size())));
  const std::string key = member.key();
  FuzzJson value = member.value();
  const std::string name = words.empty() ? key + "x" : choices.one_of(words);
  if (choices.below(2)) object.erase(key);
  if (choices.below(3)) object[name] = std::move(value);
}

void change_element(FuzzJson& array, Choices& choices) {
  const auto at = std::ptrdiff_t(choices.below(array.size()));
  switch (choices.below(4)) {
    case 0:
      array.erase(array.begin() + at);
      break;
    case 1: {
      const FuzzJson copy = array[std::size_t(at)];
      for (std::size_t i = choices.below(70); i > 0; --i) array.push_back(copy);
      break;
    }
    case 2:
      std::swap(array[std::size_t(at)], array[choices.below(array.size())]);
      break;
    default:
      array.push_back(array[std::size_t(at)]);
  }
}

}  // namespace

std::uint64_t edge_of_integers(Choices& choices) {
  constexpr std::uint64_t edges[] = {0,       1,       2,          127,        255,        256,
                                     511,     512,     32767,      65535,      0x7fffffff, 0xffffffff,
                                     1 << 20, 1 << 22, 1ull << 31, 1ull << 40, 1ull << 53, 0x7fffffffffffffff,
                                     ~0ull,   1000,    64,         100000};
  return choices.one_of(edges) + choices.below(3) - 1;
}

void change_json(FuzzJson& tree, Choices& choices, const std::vector<std::string>& words) {
  for (int change = 0; change < most_changes && !choices.at_end(); ++change) {
    FuzzJson& place = somewhere(tree, choices);
    const std::size_t kind = choices.below(6);
    if (kind == 0 && place.is_object() && !place.empty()) {
      change_member(place, choices, words);
    } else if (kind == 1 && place.is_array() && !place.empty()) {
      change_element(place, choices);
    } else if (kind == 2) {  // a value from elsewhere
      FuzzJson other = somewhere(tree, choices);
      if (other.dump().size() < 4000) place = std::move(other);
    } else if (kind == 3) {
      FuzzJson wrapped = FuzzJson::array({place});
      place = std::move(wrapped);
    } else {
      place = odd_value(choices, words);
    }
  }
}
