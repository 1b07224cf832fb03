#include "measure/advice_words.hpp"

#include <algorithm>

#include "engine/fitting.hpp"
#include "engine/gguf_recipe.hpp"
#include "measure/doctor_findings.hpp"

namespace nibble {
namespace {

std::string precision_option(const QuantizationConfig& precision) {
  return fmt::format("{}{}", name_of(precision.format), precision.double_quant ? "-dq" : "");
}

// What transformers is told for this precision.
std::string transformers_words(const QuantizationConfig& precision) {
  constexpr std::string_view load = "AutoModelForCausalLM.from_pretrained(MODEL, device_map=\"auto\", ";
  const FormatFacts& facts = facts_of(precision.format);
  if (facts.kind == FormatKind::dense)
    return fmt::format("{}dtype=torch.{})", load,
                       precision.format == Precision::fp32   ? "float32"
                       : precision.format == Precision::fp16 ? "float16"
                                                             : "bfloat16");
  if (facts.kind == FormatKind::row)
    return fmt::format("{}quantization_config=BitsAndBytesConfig(load_in_8bit=True))", load);
  return fmt::format(
      "{}quantization_config=BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=\"{}\", {}"
      "bnb_4bit_compute_dtype=torch.bfloat16))",
      load, facts.bitsandbytes.empty() ? facts.name : facts.bitsandbytes,
      precision.double_quant ? "bnb_4bit_use_double_quant=True, " : "");
}

}  // namespace

std::string AdviceWords::reason() const { return advice.choice ? why_it_is_chosen() : why_nothing_fits(); }

std::string AdviceWords::why_nothing_fits() const {
  const std::uint64_t pieces = (least + advice.memory - 1) / std::max<std::uint64_t>(advice.memory, 1);
  const Fit* narrow = nullptr;
  for (const Fit& fit : advice.fits)
    if (!fit.written) narrow = &fit;
  std::string written;
  for (const Fit& fit : advice.fits)
    if (fit.written && fit.longest_context > 0)
      written = fmt::format(". As a GGUF file {} would fit, with a context of {}", fit.precision.label(),
                            fit.longest_context);
  return fmt::format(
      "nothing fits; the smallest that works, {} with a context of {}, wants {} of memory{}. Take a smaller model, "
      "{} of this size together, or types of two and three bits, which lose more (llama.cpp's Q3_K_M, IQ2_M)",
      narrow->precision.label(), least_context, readable_bytes(least), written,
      pieces == 2 ? std::string("two cards") : fmt::format("{} cards", pieces));
}

std::string AdviceWords::room() const {
  const Fit& chosen = advice.fits[*advice.choice];
  std::string out = fmt::format(
      ". There is room for a context of {} or for {}{} sequence{} of {}", chosen.longest_context, chosen.largest_batch,
      chosen.largest_batch == most_sequences ? " and more" : "", chosen.largest_batch == 1 ? "" : "s", advice.context);
  const Fit* narrow = nullptr;
  for (std::size_t i = *advice.choice + 1; i < advice.fits.size(); ++i)
    if (!advice.fits[i].written && !advice.fits[i].requantizes) narrow = &advice.fits[i];
  if (narrow)
    out +=
        fmt::format(". {} would leave room for a context of {} or for {} sequence{}, and reads fewer bytes per token",
                    narrow->precision.label(), narrow->longest_context, narrow->largest_batch,
                    narrow->largest_batch == 1 ? "" : "s");
  return out;
}

const Fit* AdviceWords::wider_than_choice() const {
  const Fit* wider = nullptr;
  for (std::size_t i = 0; i < *advice.choice; ++i)
    if (!advice.fits[i].written) wider = &advice.fits[i];
  return wider;
}

std::string AdviceWords::why_it_is_chosen() const {
  const Fit& chosen = advice.fits[*advice.choice];
  std::string out = fmt::format("{} with a context of {}{} takes {} of {}", chosen.precision.label(), advice.context,
                                advice.batch > 1 ? fmt::format(" for {} sequences", advice.batch) : "",
                                readable_bytes(needed), readable_bytes(advice.usable));
  const std::string stored = subject.stored.label();
  if (chosen.requantizes && subject.packed)
    return out + fmt::format(", made from the original model, not from these files; they, {}, would need {}", stored,
                             readable_bytes(advice.fits.front().needed));
  if (chosen.requantizes)
    return out +
           fmt::format(
               ", but rounds the weights of {} a second time, and that error adds to the first: measure it (nibble "
               "eval), or take a smaller file that was made from the original model. As stored they would need {}",
               stored, readable_bytes(advice.fits.front().needed));
  if (advice.context < wanted_context) {
    if (!chosen.stored || advice.fits.size() == 1)
      return out + fmt::format("; the {} tokens that were wanted fit at no precision", wanted_context);
    return out + fmt::format("; {} tokens would need {}, or a second rounding of the weights", wanted_context,
                             readable_bytes(chosen.needed));
  }
  if (chosen.stored && subject.is_quantized())
    out += ": the files as they are. Any other precision would round their weights a second time, or be larger";
  else if (chosen.stored)
    out += ", and nothing has to be traded: it is what the files hold";
  else if (const Fit* wider = wider_than_choice())
    out += fmt::format("; {}, which is wider, would need {}", wider->precision.label(), readable_bytes(wider->needed));
  return out + room();
}

std::string AdviceWords::command() const {
  if (!advice.choice || !subject.runs() || model.empty()) return {};
  const QuantizationConfig& precision = advice.fits[*advice.choice].precision;
  // Beside a config.json alone there is nothing to run yet.
  const std::string folder = model.extension() == ".json" ? "FOLDER" : shell_word(model.string());
  if (const GgufRecipe* recipe = recipe_of(precision)) {
    const std::string file = shell_word(fmt::format("{}-{}.gguf", copy_stem(model), recipe->name));
    return fmt::format("nibble quantize {} {} --to {}{} && nibble run {} Hello --context {}", folder, file,
                       recipe->name, advice.fits[*advice.choice].requantizes ? " --allow-requantize" : "", file,
                       advice.context);
  }
  return fmt::format("nibble run {} Hello{} --context {}", folder,
                     advice.fits[*advice.choice].stored ? std::string() : " --precision " + precision_option(precision),
                     advice.context);
}

std::string AdviceWords::on_a_card() const {
  if (!advice.choice) return {};
  const Fit& chosen = advice.fits[*advice.choice];
  const bool gguf = (subject.checkpoint && subject.checkpoint->is_gguf()) || recipe_of(chosen.precision);
  if (gguf) return fmt::format("llama-cli -m FILE.gguf -ngl 99 -c {}", advice.context);
  if (chosen.stored && subject.is_quantized())
    return "AutoModelForCausalLM.from_pretrained(MODEL, device_map=\"auto\")";
  return transformers_words(chosen.precision);
}

}  // namespace nibble
