#include "io/codecs/bnb.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "base/numeric.hpp"
#include "formats/all.hpp"
#include "io/codecs/bnb_golden.hpp"
#include "io/codecs/bnb_quant_state.hpp"

namespace nibble {
namespace {

const std::string gate = "model.layers.0.mlp.gate_proj.weight";

// The tensors of a golden folder, which a test may change before they are read.
class Stored {
 public:
  explicit Stored(const std::string& name) {
    auto file = Safetensors::open(folder / name / "model.safetensors");
    EXPECT_TRUE(file) << file.error().message;
    if (file) file_.emplace(std::move(file).value());
    for (const StoredTensor& tensor : file_->tensors()) tensors_[tensor.name] = tensor;
  }
  const Safetensors& file() const { return *file_; }
  StoredTensor& operator[](const std::string& name) { return tensors_.at(name); }
  void erase(const std::string& name) { tensors_.erase(name); }
  void rename(const std::string& from, const std::string& to) {
    StoredTensor tensor = tensors_.at(from);
    tensors_.erase(from);
    tensor.name = to;
    tensors_[to] = tensor;
  }
  // A private copy of a tensor's bytes; `shift` moves it off its alignment.
  std::byte* own(const std::string& name, std::size_t shift = 0) {
    StoredTensor& tensor = tensors_.at(name);
    auto& copy = copies_.emplace_back(tensor.bytes.size() + 8);
    std::memcpy(copy.data() + shift, tensor.bytes.data(), tensor.bytes.size());
    tensor.bytes = std::span(copy).subspan(shift, tensor.bytes.size());
    return copy.data() + shift;
  }
  void set(const std::string& name, std::size_t index, float value) {
    std::memcpy(own(name) + index * sizeof value, &value, sizeof value);
  }
  void set_text(const std::string& name, std::string_view text) {
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    auto& copy = copies_.emplace_back(bytes, bytes + text.size());
    tensors_.at(name).bytes = copy;
    tensors_.at(name).shape = {std::int64_t(text.size())};
  }
  TensorLookup lookup() const {
    return [this](std::string_view name) {
      const auto at = tensors_.find(std::string(name));
      return at == tensors_.end() ? nullptr : &at->second;
    };
  }
  std::string text(const std::string& name) {
    return {reinterpret_cast<const char*>((*this)[name].bytes.data()), (*this)[name].bytes.size()};
  }

 private:
  std::optional<Safetensors> file_;
  std::map<std::string, StoredTensor> tensors_;
  std::vector<std::vector<std::byte>> copies_;
};

HostAllocator& memory() {
  static HostAllocator allocator;
  return allocator;
}

std::string refusal(const Stored& stored, const std::string& name = gate) {
  const auto weight = read_bnb_weight(stored.lookup(), name, memory());
  return weight ? "" : weight.error().message;
}

std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Bnb, WhatTransformersSavedIsReadAndWrittenBackByteForByte) {
  for (const std::string name : golden_folders) {
    SCOPED_TRACE(name);
    Stored stored(name);
    std::map<std::string, std::pair<SafetensorsWriter::Entry, std::vector<std::byte>>> written;
    int weights = 0;
    for (const StoredTensor& tensor : stored.file().tensors()) {
      if (!is_bnb_weight(stored.lookup(), tensor.name)) continue;
      const auto read = read_bnb_weight(stored.lookup(), tensor.name, memory());
      ASSERT_TRUE(read) << read.error().message;
      const auto tensors = write_bnb_weight(tensor.name, read->weight, read->dtype);
      ASSERT_TRUE(tensors) << tensors.error().message;
      for (std::size_t i = 0; i < tensors->entries.size(); ++i)
        written[tensors->entries[i].name] = {tensors->entries[i], {tensors->bytes[i].begin(), tensors->bytes[i].end()}};
      ++weights;
    }
    EXPECT_EQ(weights, 7);  // q, k, v, o, gate, up, down of one layer
    for (const StoredTensor& tensor : stored.file().tensors()) {
      const bool companion = !bnb_companion_of(tensor.name).empty();
      if (!companion && !is_bnb_weight(stored.lookup(), tensor.name)) continue;
      ASSERT_TRUE(written.contains(tensor.name)) << tensor.name;
      const auto& [entry, bytes] = written[tensor.name];
      EXPECT_EQ(entry.dtype, tensor.dtype) << tensor.name;
      EXPECT_EQ(entry.shape, tensor.shape) << tensor.name;
      EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), tensor.bytes.begin(), tensor.bytes.end())) << tensor.name;
      written.erase(tensor.name);
    }
    EXPECT_TRUE(written.empty()) << written.begin()->first;
  }
}

TEST(Bnb, AWholeFileIsWrittenBackByteForByte) {
  for (const std::string name : golden_folders) {
    Stored stored(name);
    std::vector<SafetensorsWriter::Entry> entries;
    for (const StoredTensor& tensor : stored.file().tensors())
      entries.push_back({tensor.name, tensor.dtype, tensor.shape});
    const auto path = std::filesystem::path(testing::TempDir()) / ("bnb_test_" + name + ".safetensors");
    auto writer = SafetensorsWriter::create(path, entries, stored.file().metadata());
    ASSERT_TRUE(writer) << writer.error().message;
    for (const StoredTensor& tensor : stored.file().tensors()) {
      std::string owner = bnb_companion_of(tensor.name);
      if (owner.empty() && is_bnb_weight(stored.lookup(), tensor.name)) owner = tensor.name;
      if (owner.empty()) {
        ASSERT_TRUE(writer->write(tensor.bytes));
        continue;
      }
      const auto read = read_bnb_weight(stored.lookup(), owner, memory());
      const auto tensors = write_bnb_weight(owner, read->weight, read->dtype);
      for (std::size_t i = 0; i < tensors->entries.size(); ++i)
        if (tensors->entries[i].name == tensor.name) {
          ASSERT_TRUE(writer->write(tensors->bytes[i]));
        }
    }
    ASSERT_TRUE(writer->commit());
    EXPECT_EQ(file_bytes(path), file_bytes(folder / name / "model.safetensors")) << name;
    std::filesystem::remove(path);
  }
}

TEST(Bnb, AReadWeightSaysWhatItIs) {
  Stored nf4("llama-nf4"), nested("llama-nf4-double"), int8("llama-int8");
  const auto plain = read_bnb_weight(nf4.lookup(), gate, memory());
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->weight.format, "nf4");
  EXPECT_EQ(plain->weight.rows, 172);
  EXPECT_EQ(plain->weight.cols, 32);
  EXPECT_EQ(plain->weight.block_size, 64);
  EXPECT_EQ(plain->weight.scales.size(), 172u * 32 / 64);
  EXPECT_EQ(plain->dtype, DType::bf16);
  EXPECT_TRUE(std::equal(Nf4::table.begin(), Nf4::table.end(), plain->weight.table.begin()));
  const auto twice = read_bnb_weight(nested.lookup(), gate, memory());
  ASSERT_TRUE(twice);
  EXPECT_TRUE(twice->weight.scales.empty());
  // The same weights, so a nested scale misses the plain one by at most half a step of the map times its scale.
  for (std::int64_t b = 0; b < 86; ++b)
    EXPECT_NEAR(twice->weight.scale(b), plain->weight.scale(b), 0.01 * double(twice->weight.nested.absmax[0]));
  const auto rows = read_bnb_weight(int8.lookup(), gate, memory());
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->weight.format, "int8");
  EXPECT_EQ(rows->weight.scales.size(), 172u);
}

TEST(Bnb, TensorsAreUsedWhereTheyLieOrCopiedIfUnaligned) {
  Stored stored("llama-nf4");
  auto in_place = read_bnb_weight(stored.lookup(), gate, memory());
  ASSERT_TRUE(in_place);
  EXPECT_TRUE(in_place->copies.empty());
  EXPECT_EQ(in_place->weight.codes, stored[gate].bytes.data());
  const std::vector<float> scales(in_place->weight.scales.begin(), in_place->weight.scales.end());
  stored.own(gate + ".absmax", 1);
  const auto copied = read_bnb_weight(stored.lookup(), gate, memory());
  ASSERT_TRUE(copied);
  EXPECT_EQ(copied->copies.size(), 1u);
  EXPECT_TRUE(std::equal(scales.begin(), scales.end(), copied->weight.scales.begin(), copied->weight.scales.end()));
}

TEST(Bnb, CodesMayBeStoredUnderAWiderType) {
  for (const DType storage : {DType::u8, DType::i8, DType::f16, DType::bf16, DType::f32, DType::f64}) {
    SCOPED_TRACE(name_of(storage));
    Stored stored("llama-nf4");
    stored[gate].dtype = storage;
    stored[gate].shape = {std::int64_t(stored[gate].bytes.size() / size_of(storage)), 1};
    const auto read = read_bnb_weight(stored.lookup(), gate, memory());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->storage, storage);
    const auto written = write_bnb_weight(gate, read->weight, read->dtype, read->storage);
    ASSERT_TRUE(written);
    EXPECT_EQ(written->entries[0].dtype, storage);
    EXPECT_EQ(written->entries[0].shape, stored[gate].shape);
    EXPECT_TRUE(std::equal(written->bytes[0].begin(), written->bytes[0].end(), stored[gate].bytes.begin(),
                           stored[gate].bytes.end()));
    // As in bitsandbytes, whose view() of odd bytes fails.
    Weight odd = read->weight;
    odd.code_bytes = 3;
    const auto refused = write_bnb_weight(gate, odd, DType::bf16, storage);
    ASSERT_EQ(refused.has_value(), size_of(storage) == 1);
    EXPECT_TRUE(refused || names(refused.error().message, "3 bytes of codes are not whole elements"));
  }
}

TEST(Bnb, ATableThatAFileBringsIsReadAndNeverWrittenUnderTheName) {
  for (const char* name : {"llama-nf4", "llama-fp4"}) {
    Stored stored(name);
    ASSERT_TRUE(has_own_table(read_bnb_weight(stored.lookup(), gate, memory())->weight));
    const float other = name == std::string("llama-nf4") ? -0.2f : 0.33f;
    stored.set(gate + ".quant_map", 5, other);
    const auto read = read_bnb_weight(stored.lookup(), gate, memory());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->weight.table[5], other);
    EXPECT_FALSE(has_own_table(read->weight));
    const auto written = write_bnb_weight(gate, read->weight, read->dtype);
    ASSERT_FALSE(written);
    EXPECT_TRUE(names(written.error().message, "its table is not the one of"));
  }
}

TEST(Bnb, AFormatIsNeverTakenForAnotherTableFormat) {
  Stored stored("llama-fp4");
  Weight weight = read_bnb_weight(stored.lookup(), gate, memory())->weight;
  ASSERT_TRUE(has_own_table(weight));
  for (const std::string_view other : {Nf4::name, Int8::name, Bf16::name, std::string_view("af4")}) {
    weight.format = other;
    EXPECT_FALSE(has_own_table(weight)) << other;
  }
  for (const std::string_view other : {Bf16::name, std::string_view("Q4_0"), std::string_view("af4")}) {
    weight.format = other;
    const auto written = write_bnb_weight(gate, weight, DType::bf16);
    ASSERT_FALSE(written) << other;
    EXPECT_TRUE(names(written.error().message, std::string(other) + " has no layout"));
    EXPECT_TRUE(names(written.error().message, names_of(precisions({FormatKind::row, FormatKind::table}), " and ")));
  }
  const std::string state = gate + ".quant_state.bitsandbytes__fp4";
  stored.set_text(state, R"({"quant_type":"af4","blocksize":64,"dtype":"float32","shape":[43,128]})");
  EXPECT_TRUE(names(refusal(stored), "\"quant_type\" is \"af4\", expected nf4 or fp4"));
}

TEST(Bnb, ScalesOfARepackedModelAreTurnedBack) {
  Stored stored("llama-nf4");
  stored.set_text(gate + ".quant_state.bitsandbytes__nf4",
                  R"({"quant_type":"nf4","blocksize":32,"dtype":"float32","shape":[43,128]})");
  std::vector<std::byte> bf16(2 * 4 * 43);
  for (int k = 0; k < 4; ++k)
    for (int row = 0; row < 43; ++row) {
      const std::uint16_t bits = float_to_bf16(float(row * 4 + k));
      std::memcpy(&bf16[2 * (k * 43 + row)], &bits, 2);
    }
  stored[gate + ".absmax"] = {gate + ".absmax", DType::bf16, {4, 43}, bf16};
  const auto read = read_bnb_weight(stored.lookup(), gate, memory());
  ASSERT_TRUE(read) << read.error().message;
  for (int b = 0; b < 4 * 43; ++b) EXPECT_EQ(read->weight.scales[b], float(b));
  stored[gate + ".absmax"].shape = {43, 4};
  EXPECT_TRUE(names(refusal(stored), "absmax: scales in BF16"));
}

TEST(Bnb, CompanionsAreRecognizedByName) {
  EXPECT_EQ(bnb_companion_of("a.b.weight.absmax"), "a.b.weight");
  EXPECT_EQ(bnb_companion_of("a.b.weight.nested_quant_map"), "a.b.weight");
  EXPECT_EQ(bnb_companion_of("a.b.weight.quant_state.bitsandbytes__fp4"), "a.b.weight");
  EXPECT_EQ(bnb_companion_of("a.b.weight.quant_state.nibble__x"), "a.b.weight");
  EXPECT_EQ(bnb_companion_of("a.b.SCB"), "a.b.weight");
  EXPECT_EQ(bnb_companion_of("a.b.weight_format"), "a.b.weight");
  EXPECT_EQ(bnb_companion_of("a.b.weight"), "");
  EXPECT_EQ(bnb_companion_of("a.absmax"), "");
  Stored plain("llama-bf16");
  for (const StoredTensor& tensor : plain.file().tensors()) EXPECT_FALSE(is_bnb_weight(plain.lookup(), tensor.name));
}

TEST(Bnb, DamageToAFourBitWeightIsRefusedByTensor) {
  const std::string state = gate + ".quant_state.bitsandbytes__nf4";
  const auto with = [](const char* name, auto&& damage) {
    Stored stored(name);
    damage(stored);
    return refusal(stored);
  };
  const char* nf4 = "llama-nf4";
  const char* nested = "llama-nf4-double";
  const auto shorten = [](StoredTensor& tensor) { tensor.bytes = tensor.bytes.first(tensor.bytes.size() - 4); };
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { s.erase(gate); }), gate + ": not in the checkpoint"));
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { s.erase(state); }), "neither"));
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { s.erase(gate + ".absmax"); }), ".absmax: missing"));
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { s.erase(gate + ".quant_map"); }), ".quant_map: missing"));
  EXPECT_TRUE(
      names(with(nf4, [&](Stored& s) { shorten(s[gate]); }), gate + ": 2748 bytes of 4-bit codes, expected 2752"));
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { s[gate].dtype = DType::i64; }), "4-bit codes under dtype I64"));
  EXPECT_TRUE(
      names(with(nf4, [&](Stored& s) { shorten(s[gate + ".absmax"]); }), ".absmax: 340 bytes of F32, expected 86"));
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { s[gate + ".absmax"].dtype = DType::u8; }), ".absmax: 344 bytes of U8"));
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { s.set(gate + ".absmax", 7, NAN); }), ".absmax: scale 7 is nan"));
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { s.set(gate + ".absmax", 8, -1); }), ".absmax: scale 8 is -1"));
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { shorten(s[gate + ".quant_map"]); }), ".quant_map: 60 bytes"));
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { s.set(gate + ".quant_map", 3, 0.5f); }), ".quant_map: value 4 is"));
  EXPECT_TRUE(
      names(with("llama-fp4", [&](Stored& s) { s.set(gate + ".quant_map", 3, 2); }), ".quant_map: value 3 is 2"));
  EXPECT_TRUE(names(with(nf4, [&](Stored& s) { s.rename(state, gate + ".quant_state.bitsandbytes__fp4"); }),
                    "its name says otherwise"));
  EXPECT_TRUE(names(with(nested, [&](Stored& s) { s.erase(gate + ".nested_absmax"); }), ".nested_absmax: missing"));
  EXPECT_TRUE(names(with(nested, [&](Stored& s) { s.set(gate + ".nested_absmax", 0, INFINITY); }),
                    ".nested_absmax: scale 0 is inf"));
  EXPECT_TRUE(
      names(with(nested, [&](Stored& s) { shorten(s[gate + ".nested_quant_map"]); }), ".nested_quant_map: 1020 bytes"));
  EXPECT_TRUE(names(with(nested, [&](Stored& s) { s.set(gate + ".nested_quant_map", 9, 0.5f); }),
                    ".nested_quant_map: value 10"));
  EXPECT_TRUE(names(with(nested, [&](Stored& s) { s[gate + ".absmax"].dtype = DType::i8; }), "nested scales are I8"));
}

TEST(Bnb, AStateOfGigabytesIsNotRead) {
  Stored stored("llama-nf4");
  const std::string state = gate + ".quant_state.bitsandbytes__nf4";
  stored.set_text(state, std::string(65537, ' '));
  EXPECT_TRUE(names(refusal(stored), "65537 bytes of U8, expected at most 65536"));
  Stored other("llama-nf4");
  other[state].dtype = DType::i8;
  EXPECT_TRUE(names(refusal(other), "of I8, expected"));
}

TEST(Bnb, DamageToAnEightBitWeightIsRefusedByTensor) {
  const std::string module = "model.layers.0.mlp.gate_proj";
  const auto with = [](auto&& damage) {
    Stored stored("llama-int8");
    damage(stored);
    return refusal(stored);
  };
  EXPECT_EQ(with([&](Stored& s) { s.erase(module + ".weight_format"); }), "");  // files of 2023 lack it
  EXPECT_TRUE(
      names(with([&](Stored& s) { s.own(module + ".weight_format")[0] = std::byte(1); }), ".weight_format: layout 1"));
  EXPECT_TRUE(names(with([&](Stored& s) { s[module + ".weight_format"].dtype = DType::f32; }),
                    ".weight_format: 1 bytes of F32"));
  EXPECT_TRUE(names(with([&](Stored& s) { s[gate].dtype = DType::u8; }), gate + ": U8 of rank 2"));
  EXPECT_TRUE(names(with([&](Stored& s) { s[module + ".SCB"].dtype = DType::i32; }), ".SCB: 688 bytes of I32"));
  EXPECT_TRUE(names(with([&](Stored& s) { s.set(module + ".SCB", 1, NAN); }), ".SCB: scale 1 is nan"));
}

}  // namespace
}  // namespace nibble
