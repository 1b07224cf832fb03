// tokenize: text to ids and back.
#include "common.hpp"
#include "nibble/tokenizer.hpp"

namespace nibble::cli {
namespace {

struct TokenizeArguments {
  std::string model, text, file, separator;
  bool decode = false, no_special = false, plain_special = false, skip_special = false;
};

// Whole numbers with spaces, commas or brackets between them.
Result<std::vector<std::int32_t>> read_ids(const std::string& text) {
  std::vector<std::int32_t> ids;
  std::string number;
  for (const char c : text + " ") {
    if (c >= '0' && c <= '9' && number.size() < 10) {
      number += c;
    } else if (c == ' ' || c == ',' || c == '\n' || c == '\t' || c == '\r' || c == '[' || c == ']') {
      if (!number.empty()) ids.push_back(std::int32_t(std::min(std::stoll(number), 2147483647ll)));
      number.clear();
    } else {
      return Error{Errc::bad_request, "--decode expects token ids, whole numbers separated by spaces or commas"};
    }
  }
  return ids;
}

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> out;
  std::size_t begin = 0;
  for (std::size_t end = 0; !separator.empty() && (end = text.find(separator, begin)) != std::string::npos;
       begin = end + separator.size())
    out.push_back(text.substr(begin, end - begin));
  out.push_back(text.substr(begin));
  return out;
}

int tokenize_verb(const TokenizeArguments& a, bool has_text, const Common& common) {
  if (has_text == !a.file.empty())
    return fail({Errc::bad_request, "name either TEXT or --file FILE (--file - reads standard input)"});
  auto tokenizer = TextTokenizer::load(a.model);
  if (!tokenizer) return fail(tokenizer.error());
  std::string text = a.text;
  if (!has_text) {
    auto read = read_file(a.file);
    if (!read) return fail(read.error());
    text = *read;
  }
  Json results = Json::array();
  for (const std::string& part : split(text, a.separator)) {
    if (!a.decode) {
      const std::vector<std::int32_t> ids = tokenizer->encode(part, !a.no_special, !a.plain_special);
      if (common.json)
        results.push_back({{"ids", ids}});
      else
        print(fmt::format("{}\n", fmt::join(ids, " ")));
      continue;
    }
    const auto ids = read_ids(part);
    if (!ids) return fail(ids.error());
    if (const std::int64_t size = tokenizer->vocabulary_size(); !ids->empty())
      if (const std::int64_t highest = *std::max_element(ids->begin(), ids->end()); highest >= size)
        return fail({Errc::bad_request,
                     fmt::format("--decode: there is no token {}; the vocabulary has 0 to {}", highest, size - 1)});
    const std::string decoded = tokenizer->decode(*ids, a.skip_special);
    if (common.json)
      results.push_back({{"text", decoded}, {"pieces", tokenizer->pieces(*ids, a.skip_special)}});
    else
      print_data(decoded + (has_text || !a.separator.empty() ? "\n" : ""));
  }
  if (common.json) print_json_text((a.separator.empty() ? results[0] : results).dump() + "\n");
  return 0;
}

}  // namespace

void add_tokenize(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<TokenizeArguments>();
  CLI::App* verb =
      app.add_subcommand("tokenize", "ids of a text as the model's tokenizer gives them, or the text of ids");
  verb->add_option("MODEL", a->model, "a model, a name on the hub, or a folder that holds only a tokenizer")
      ->required();
  CLI::Option* text = verb->add_option("TEXT", a->text, "the text");
  verb->add_option("--file", a->file, "read it from a file; - is standard input");
  verb->add_option("--separator", a->separator, "it holds several texts with this between them");
  verb->add_flag("--decode", a->decode, "the other way: ids, separated by spaces or commas, to text");
  verb->add_flag("--no-special", a->no_special, "no BOS or EOS");
  verb->add_flag("--plain-special", a->plain_special, "special tokens written in the text are plain text");
  verb->add_flag("--skip-special", a->skip_special, "with --decode: leave special tokens out");
  add_common(*verb, *common, 0);
  verb->callback([=, &run] {
    run = [=] {
      return with_model(
          a->model, *common, [&] { return tokenize_verb(*a, text->count() > 0, *common); }, HubFiles::tokenizer);
    };
  });
}

}  // namespace nibble::cli
