#include "advice_text.hpp"

#include <algorithm>

namespace nibble::cli {
namespace {

std::string cell(const Fit& fit) { return fit.fits() ? fmt::format("{}", fit.longest_context) : std::string("-"); }

void print_fits(const Advice& a, bool asked) {
  print_folded(fmt::format("Longest context, {} sequence{} at once; - is too little, * what to choose", a.batch,
                           a.batch == 1 ? "" : "s"));
  std::vector<TextColumn> heads = {{"GB"}};
  for (const Fit& fit : a.fits) heads.push_back({row_name(fit.precision, fit.requantizes)});
  TextTable table("", std::move(heads));
  const auto row = [&](const std::string& name, std::uint64_t memory, const std::vector<Fit>& fits,
                       const std::optional<std::size_t>& choice) {
    std::vector<std::string> cells = {fmt::format("{:.1f}", double(memory) / 1e9)};
    for (std::size_t i = 0; i < fits.size(); ++i) cells.push_back((choice == i ? "*" : "") + cell(fits[i]));
    table.add(name, std::move(cells));
  };
  row(asked ? "as asked" : "this machine", a.memory, a.fits, a.choice);
  for (const CardFit& card : a.cards) row(card.card, card.memory, card.fits, card.choice);
  print_table(table);
}

bool takes_int8(const Advice& a) {
  const auto is_int8 = [&](const std::optional<std::size_t>& choice) {
    return choice && a.fits[*choice].precision.format == Precision::int8;
  };
  return is_int8(a.choice) ||
         std::any_of(a.cards.begin(), a.cards.end(), [&](const CardFit& card) { return is_int8(card.choice); });
}

void print_remarks(const Advice& a, bool runs) {
  const auto any = [&](bool Fit::*what) {
    return std::any_of(a.fits.begin(), a.fits.end(), [&](const Fit& fit) { return fit.*what; });
  };
  print("\n");
  if (any(&Fit::requantizes)) print_folded(std::string(requantizes_legend) + ".", 2);
  if (any(&Fit::written))
    print_folded(
        "Types such as Q4_K_M are files that `nibble quantize MODEL OUT.gguf --to q4_k_m` writes; llama.cpp runs them "
        "too.");
  print_folded(
      "A card's row has less than the same memory as asked: CUDA keeps some 0.6 GB of it, and the program lies "
      "elsewhere.");
  if (takes_int8(a))
    print_folded(
        "On a card LLM.int8 is slow for one sequence: nf4 in transformers, or Q6_K in llama.cpp, generates faster.");
  if (!a.on_a_card.empty())
    print_folded("Nibble does not use GPUs yet. What takes the choice there:\n    " + a.on_a_card, 4);
  if (runs)
    print_folded(
        "This says what fits. How fast and how good each precision is on this machine: nibble compare MODEL; how good "
        "alone: nibble doctor MODEL --quality.");
}

Json json_of(const std::vector<Fit>& fits) {
  Json list = Json::array();
  for (const Fit& fit : fits)
    list.push_back({{"precision", precision_key(fit.precision, fit.stored)},
                    {"label", fit.precision.label()},
                    {"double_quant", fit.precision.double_quant},
                    {"stored", fit.stored},
                    {"requantizes", fit.requantizes},
                    {"fits", fit.fits()},
                    {"needed", fit.needed},
                    {"longest_context", fit.longest_context},
                    {"largest_batch", fit.largest_batch}});
  return list;
}

}  // namespace

std::string precision_key(const QuantizationConfig& precision, bool stored) {
  if (precision.file_type.empty()) return std::string(name_of(precision.format));
  if (stored) return "stored";
  std::string name = precision.file_type;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return name;
}

std::string row_name(const QuantizationConfig& precision, bool requantizes) {
  return precision.label() + (requantizes ? "~" : "");
}

void print_advice(const Advice& a, bool asked, bool runs) {
  print("\n");
  print_folded(fmt::format("In {} GB ({}): {}.", gb(a.memory), asked ? "as asked" : "this machine's memory", a.reason));
  if (!a.command.empty()) print("    " + a.command + "\n");
  print("\n");
  print_fits(a, asked);
  print_remarks(a, runs);
}

Json to_json(const Advice& a) {
  Json json = {{"memory", a.memory}, {"usable", a.usable}};
  if (a.choice) {
    const Fit& chosen = a.fits[*a.choice];
    json["precision"] = precision_key(chosen.precision, chosen.stored);
    json["label"] = chosen.precision.label();
    json["double_quant"] = chosen.precision.double_quant;
  }
  json["context"] = a.context;
  json["batch"] = a.batch;
  json["reason"] = a.reason;
  json["command"] = a.command;
  json["on_a_card"] = a.on_a_card;
  json["fits"] = json_of(a.fits);
  json["cards"] = Json::array();
  for (const CardFit& card : a.cards) {
    Json entry = {{"card", card.card}, {"memory", card.memory}, {"fits", json_of(card.fits)}};
    if (card.choice) entry["choice"] = card.fits[*card.choice].precision.label();
    json["cards"].push_back(entry);
  }
  return json;
}

}  // namespace nibble::cli
