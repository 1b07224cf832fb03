#include "text/tokenizer/json_parts.hpp"

namespace nibble {

std::string json_text(const Json& object, const char* key, std::string otherwise) {
  if (!object.is_object()) return otherwise;
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

bool json_flag(const Json& object, const char* key, bool otherwise) {
  if (!object.is_object()) return otherwise;
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

namespace {

// {"Regex": "..."} or {"String": "..."}.
Result<SplitPattern> pattern_of(const Json& entry) {
  const auto found = entry.find("pattern");
  if (found != entry.end() && found->is_object() && found->size() == 1) {
    if (found->contains("Regex") && (*found)["Regex"].is_string()) {
      return SplitPattern::regex((*found)["Regex"].get<std::string>());
    }
    if (found->contains("String") && (*found)["String"].is_string()) {
      return SplitPattern::literal((*found)["String"].get<std::string>());
    }
  }
  return error(Errc::corrupt_file, "{} needs a \"pattern\" with \"Regex\" or \"String\"", json_text(entry, "type"));
}

Result<SplitBehavior> behavior_of(const Json& entry, std::string otherwise) {
  const std::string name = json_text(entry, "behavior", std::move(otherwise));
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  return error(Errc::corrupt_file, "split behavior \"{}\" is unknown", name);
}

// Runs `each` over the parts of a Sequence.
template <class Each>
Result<void> sequence(const Json& entry, const char* key, int depth, Each each) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array()) return error(Errc::corrupt_file, "a Sequence needs \"{}\"", key);
  if (depth > 16) return error(Errc::corrupt_file, "Sequences are nested deeper than 16 levels");
  for (const Json& part : *found) NIBBLE_CHECK(each(part));
  return {};
}

}  // namespace

Result<void> add_normalizer(const Json& entry, Normalizer& out, int depth) {
  if (entry.is_null()) return {};
  const std::string type = json_text(entry, "type");
  if (type == "Sequence") {
    return sequence(entry, "normalizers", depth,
                    [&](const Json& part) { return add_normalizer(part, out, depth + 1); });
  }
  if (type == "NFC")
    out.add(UnicodeForm{true, false});
  else if (type == "NFD")
    out.add(UnicodeForm{false, false});
  else if (type == "NFKC")
    out.add(UnicodeForm{true, true});
  else if (type == "NFKD")
    out.add(UnicodeForm{false, true});
  else if (type == "Lowercase")
    out.add(LowercaseText{});
  else if (type == "StripAccents")
    out.add(StripAccents{});
  else if (type == "Prepend")
    out.add(PrependText{json_text(entry, "prepend")});
  else if (type == "Strip")
    out.add(StripSpaces{json_flag(entry, "strip_left", true), json_flag(entry, "strip_right", true)});
  else if (type == "Replace") {
    NIBBLE_TRY(SplitPattern pattern, pattern_of(entry));
    out.add(ReplaceText{std::move(pattern), json_text(entry, "content")});
  } else {
    return error(
        Errc::unsupported,
        "normalizer \"{}\" is not supported; Nibble knows NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Prepend, "
        "Strip, Replace, Sequence",
        type);
  }
  return {};
}

Result<void> add_pre_tokenizer(const Json& entry, PreTokenizer& out, int depth) {
  if (entry.is_null()) return {};
  const std::string type = json_text(entry, "type");
  if (type == "Sequence") {
    return sequence(entry, "pretokenizers", depth,
                    [&](const Json& part) { return add_pre_tokenizer(part, out, depth + 1); });
  }
  if (type == "ByteLevel") {
    out.add(ByteLevelSplit{json_flag(entry, "add_prefix_space", true), json_flag(entry, "use_regex", true), false});
  } else if (type == "Split") {
    NIBBLE_TRY(SplitPattern pattern, pattern_of(entry));
    NIBBLE_TRY(const SplitBehavior behavior, behavior_of(entry, ""));
    out.add(SplitByPattern{std::move(pattern), behavior, json_flag(entry, "invert", false)});
  } else if (type == "Digits") {
    const bool each = json_flag(entry, "individual_digits", false);
    out.add(SplitByClass{SplitByClass::digit, each ? SplitBehavior::isolated : SplitBehavior::contiguous});
  } else if (type == "Punctuation") {
    NIBBLE_TRY(const SplitBehavior behavior, behavior_of(entry, "Isolated"));
    out.add(SplitByClass{SplitByClass::punctuation, behavior});
  } else if (type == "Whitespace") {
    NIBBLE_TRY(SplitPattern pattern, SplitPattern::regex(R"(\w+|[^\w\s]+)"));
    out.add(SplitByPattern{std::move(pattern), SplitBehavior::removed, true});
  } else if (type == "WhitespaceSplit") {
    out.add(SplitByClass{SplitByClass::white_space, SplitBehavior::removed});
  } else if (type == "Metaspace") {
    MetaspaceSplit step;
    step.replacement = json_text(entry, "replacement", step.replacement);
    if (step.replacement.empty()) return error(Errc::corrupt_file, "Metaspace has an empty replacement");
    step.split = json_flag(entry, "split", true);
    const std::string scheme =
        json_text(entry, "prepend_scheme", json_flag(entry, "add_prefix_space", true) ? "always" : "never");
    if (scheme == "first")
      step.prepend = MetaspaceSplit::first;
    else if (scheme == "never")
      step.prepend = MetaspaceSplit::never;
    else if (scheme != "always")
      return error(Errc::corrupt_file, "Metaspace prepend_scheme \"{}\" is unknown", scheme);
    out.add(std::move(step));
  } else {
    return error(
        Errc::unsupported,
        "pre-tokenizer \"{}\" is not supported; Nibble knows ByteLevel, Split, Digits, Punctuation, Whitespace, "
        "WhitespaceSplit, Metaspace, Sequence",
        type);
  }
  return {};
}

Result<void> add_decoder(const Json& entry, TokenDecoder& out, int depth) {
  if (entry.is_null()) return {};
  const std::string type = json_text(entry, "type");
  if (type == "Sequence") {
    return sequence(entry, "decoders", depth, [&](const Json& part) { return add_decoder(part, out, depth + 1); });
  }
  if (type == "ByteLevel")
    out.add(DecodeByteLevel{});
  else if (type == "ByteFallback")
    out.add(DecodeByteFallback{});
  else if (type == "Fuse")
    out.add(DecodeFuse{});
  else if (type == "Metaspace") {
    DecodeMetaspace step;
    step.replacement = json_text(entry, "replacement", step.replacement);
    step.drop_first =
        json_text(entry, "prepend_scheme", json_flag(entry, "add_prefix_space", true) ? "always" : "never") != "never";
    out.add(std::move(step));
  } else if (type == "Replace") {
    NIBBLE_TRY(SplitPattern pattern, pattern_of(entry));
    out.add(DecodeReplace{std::move(pattern), json_text(entry, "content")});
  } else if (type == "Strip") {
    const auto count = [&](const char* key) -> std::size_t {
      const auto found = entry.find(key);
      return found != entry.end() && found->is_number_unsigned() ? found->get<std::size_t>() : 0;
    };
    out.add(DecodeStrip{json_text(entry, "content", " "), count("start"), count("stop")});
  } else {
    return error(
        Errc::unsupported,
        "decoder \"{}\" is not supported; Nibble knows ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip, "
        "Sequence",
        type);
  }
  return {};
}

}  // namespace nibble
