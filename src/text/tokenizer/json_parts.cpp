#include "text/tokenizer/json_parts.hpp"

#include "base/printable.hpp"

namespace nibble {

Result<std::string> json_text(const Json& object, const char* key, std::string otherwise) {
  if (!object.is_object())
    return error(Errc::corrupt_file, "expected an object with \"{}\", found {}", key, object.type_name());
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return otherwise;
  if (!found->is_string()) return error(Errc::corrupt_file, "\"{}\" is a {}, not a text", key, found->type_name());
  return found->get<std::string>();
}

Result<bool> json_flag(const Json& object, const char* key, bool otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return otherwise;
  if (!found->is_boolean())
    return error(Errc::corrupt_file, "\"{}\" is a {}, not true or false", key, found->type_name());
  return found->get<bool>();
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
  return error(Errc::corrupt_file, "a \"pattern\" with \"Regex\" or \"String\" is missing");
}

Result<SplitBehavior> behavior_of(const Json& entry, std::string otherwise) {
  NIBBLE_TRY(const std::string name, json_text(entry, "behavior", std::move(otherwise)));
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  return error(Errc::corrupt_file, "\"behavior\" is \"{}\", which is unknown", name);
}

// Metaspace's prepend_scheme, or what older files wrote.
Result<MetaspaceSplit::Prepend> prepend_of(const Json& entry) {
  NIBBLE_TRY(const bool older, json_flag(entry, "add_prefix_space", true));
  NIBBLE_TRY(const std::string scheme, json_text(entry, "prepend_scheme", older ? "always" : "never"));
  if (scheme == "always") return MetaspaceSplit::always;
  if (scheme == "first") return MetaspaceSplit::first;
  if (scheme == "never") return MetaspaceSplit::never;
  return error(Errc::corrupt_file, "\"prepend_scheme\" is \"{}\", which is unknown", scheme);
}

Result<std::string> replacement_of(const Json& entry) {
  NIBBLE_TRY(std::string replacement, json_text(entry, "replacement", "\xE2\x96\x81"));
  if (replacement.empty()) return error(Errc::corrupt_file, "\"replacement\" is empty");
  return replacement;
}

Result<std::size_t> count_of(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  if (found == entry.end()) return std::size_t(0);
  if (!found->is_number_unsigned()) return error(Errc::corrupt_file, "\"{}\" is not a count", key);
  return found->get<std::size_t>();
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

Result<void> add_one(const std::string& type, const Json& entry, Normalizer& out) {
  if (type == "NFC") {
    out.add(UnicodeForm{true, false});
  } else if (type == "NFD") {
    out.add(UnicodeForm{false, false});
  } else if (type == "NFKC") {
    out.add(UnicodeForm{true, true});
  } else if (type == "NFKD") {
    out.add(UnicodeForm{false, true});
  } else if (type == "Lowercase") {
    out.add(LowercaseText{});
  } else if (type == "StripAccents") {
    out.add(StripAccents{});
  } else if (type == "Prepend") {
    NIBBLE_TRY(std::string prefix, json_text(entry, "prepend"));
    out.add(PrependText{std::move(prefix)});
  } else if (type == "Strip") {
    StripSpaces step;
    NIBBLE_TRY(step.left, json_flag(entry, "strip_left", true));
    NIBBLE_TRY(step.right, json_flag(entry, "strip_right", true));
    out.add(step);
  } else if (type == "Replace") {
    NIBBLE_TRY(SplitPattern pattern, pattern_of(entry));
    NIBBLE_TRY(std::string content, json_text(entry, "content"));
    out.add(ReplaceText{std::move(pattern), std::move(content)});
  } else {
    return error(
        Errc::unsupported,
        "is not supported; Nibble knows NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Prepend, Strip, Replace, "
        "Sequence");
  }
  return {};
}

Result<void> add_one(const std::string& type, const Json& entry, PreTokenizer& out) {
  if (type == "ByteLevel") {
    ByteLevelSplit step;
    NIBBLE_TRY(step.add_prefix_space, json_flag(entry, "add_prefix_space", true));
    NIBBLE_TRY(step.use_regex, json_flag(entry, "use_regex", true));
    out.add(step);
  } else if (type == "Split") {
    NIBBLE_TRY(SplitPattern pattern, pattern_of(entry));
    NIBBLE_TRY(const SplitBehavior behavior, behavior_of(entry, ""));
    NIBBLE_TRY(const bool invert, json_flag(entry, "invert", false));
    out.add(SplitByPattern{std::move(pattern), behavior, invert});
  } else if (type == "Digits") {
    NIBBLE_TRY(const bool each, json_flag(entry, "individual_digits", false));
    out.add(SplitByClass{SplitByClass::digit, each ? SplitBehavior::isolated : SplitBehavior::contiguous});
  } else if (type == "Punctuation") {
    NIBBLE_TRY(const SplitBehavior behavior, behavior_of(entry, "Isolated"));
    out.add(SplitByClass{SplitByClass::punctuation, behavior});
  } else if (type == "Whitespace") {
    // Runs of word characters, as Unicode's annex on regular expressions defines them, or of others but spaces.
    constexpr std::string_view word = R"(\p{Alphabetic}\p{L}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D})";
    NIBBLE_TRY(SplitPattern pattern, SplitPattern::regex(fmt::format("[{0}]+|[^{0}\\s]+", word)));
    out.add(SplitByPattern{std::move(pattern), SplitBehavior::removed, true});
  } else if (type == "WhitespaceSplit") {
    out.add(SplitByClass{SplitByClass::white_space, SplitBehavior::removed});
  } else if (type == "Metaspace") {
    MetaspaceSplit step;
    NIBBLE_TRY(step.replacement, replacement_of(entry));
    NIBBLE_TRY(step.split, json_flag(entry, "split", true));
    NIBBLE_TRY(step.prepend, prepend_of(entry));
    out.add(std::move(step));
  } else {
    return error(Errc::unsupported,
                 "is not supported; Nibble knows ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, "
                 "Metaspace, Sequence");
  }
  return {};
}

Result<void> add_one(const std::string& type, const Json& entry, TokenDecoder& out) {
  if (type == "ByteLevel") {
    out.add(DecodeByteLevel{});
  } else if (type == "ByteFallback") {
    out.add(DecodeByteFallback{});
  } else if (type == "Fuse") {
    out.add(DecodeFuse{});
  } else if (type == "Metaspace") {
    DecodeMetaspace step;
    NIBBLE_TRY(step.replacement, replacement_of(entry));
    NIBBLE_TRY(const MetaspaceSplit::Prepend prepend, prepend_of(entry));
    step.drop_first = prepend != MetaspaceSplit::never;
    out.add(std::move(step));
  } else if (type == "Replace") {
    NIBBLE_TRY(SplitPattern pattern, pattern_of(entry));
    NIBBLE_TRY(std::string content, json_text(entry, "content"));
    out.add(DecodeReplace{std::move(pattern), std::move(content)});
  } else if (type == "Strip") {
    DecodeStrip step;
    NIBBLE_TRY(step.content, json_text(entry, "content", " "));
    NIBBLE_TRY(step.start, count_of(entry, "start"));
    NIBBLE_TRY(step.stop, count_of(entry, "stop"));
    out.add(std::move(step));
  } else {
    return error(Errc::unsupported,
                 "is not supported; Nibble knows ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip, Sequence");
  }
  return {};
}

// `what` and `list` are the names in the file: {"type": "Sequence", "normalizers": [...]}.
template <class Out>
Result<void> add_entry(const Json& entry, const char* what, const char* list, Out& out, int depth) {
  if (entry.is_null()) return {};
  const auto type = json_text(entry, "type");
  if (!type) return type.error().at(what);
  if (type->empty()) return error(Errc::corrupt_file, "{}: an entry has no \"type\"", what);
  if (*type == "Sequence") {
    return sequence(entry, list, depth, [&](const Json& part) { return add_entry(part, what, list, out, depth + 1); });
  }
  if (auto added = add_one(*type, entry, out); !added) {
    const Error& problem = added.error();
    return Error{problem.code, fmt::format("{} \"{}\"{} {}", what, printable(*type),
                                           problem.code == Errc::unsupported ? "" : ":", problem.message)};
  }
  return {};
}

}  // namespace

Result<void> add_normalizer(const Json& entry, Normalizer& out) {
  return add_entry(entry, "normalizer", "normalizers", out, 0);
}
Result<void> add_pre_tokenizer(const Json& entry, PreTokenizer& out) {
  return add_entry(entry, "pre-tokenizer", "pretokenizers", out, 0);
}
Result<void> add_decoder(const Json& entry, TokenDecoder& out) {
  return add_entry(entry, "decoder", "decoders", out, 0);
}

void apply_config(const TokenizerConfig& config, PipelineParts& parts) {
  const auto find = [&](const std::string& text) -> std::optional<std::int32_t> {
    if (const AddedToken* added = parts.added.by_content(text)) return added->id;
    return parts.bpe.vocabulary().id(text);
  };
  for (AddedToken token : config.added) {
    token.id = find(token.content).value_or(token.id);
    parts.added.add(std::move(token));
  }
  for (const std::string& content : config.special) {
    if (parts.added.by_content(content) != nullptr) continue;
    if (const auto id = parts.bpe.vocabulary().id(content)) parts.added.add(special_token(content, *id));
  }
  if (config.bos) parts.bos = find(*config.bos);
  if (config.eos) parts.eos = find(*config.eos);
  // A template of tokenizer.json is the publisher's last word; without one the flags decide.
  if (!parts.prefix.empty() || !parts.suffix.empty()) return;
  if (config.add_bos.value_or(false) && parts.bos) parts.prefix = {*parts.bos};
  if (config.add_eos.value_or(false) && parts.eos) parts.suffix = {*parts.eos};
}

}  // namespace nibble
