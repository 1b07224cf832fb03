// Receipts that are damaged, alone and in the file that carries them.
#include "../made/made_files.hpp"
#include "engine/receipt.hpp"
#include "nibble/quantize.hpp"
#include "nibble/verify.hpp"
#include "refused.hpp"

namespace nibble {
namespace {

using made::Json;

Json receipt() {
  return {{"nibble", "0.1.0"},
          {"recipe", "nf4"},
          {"source_type", "BF16"},
          {"tensors",
           {{"a", {{"sha256", std::string(64, 'a')}, {"source", std::string(64, 'b')}, {"error", 0.09}}},
            {"b", {{"sha256", std::string(64, 'c')}}}}}};
}

TEST(ReceiptRejected, EveryWrongValueIsNamed) {
  ASSERT_TRUE(Receipt::parse(receipt().dump(), "here"));
  const auto refused = [](const char* pointer, const Json& value, const Words& words) {
    SCOPED_TRACE(std::string(pointer) + " = " + value.dump());
    Json changed = receipt();
    changed[Json::json_pointer(pointer)] = value;
    Words all = words;
    all.insert(all.end(), {"here", "the receipt", "convert the model again"});
    expect_refused(Receipt::parse(changed.dump(), "here"), Errc::corrupt_file, all);
  };
  for (const char* key : {"nibble", "recipe", "source_type"})
    for (const Json& value : {Json(nullptr), Json(7), Json::array(), Json::object()})
      refused((std::string("/") + key).c_str(), value, {std::string("has no text \"") + key + "\""});
  for (const Json& value : {Json(nullptr), Json(7), Json::array(), Json("a")})
    refused("/tensors", value, {"lists no tensors"});
  for (const Json& value : {Json(nullptr), Json(7), Json::array(), Json::object()})
    refused("/tensors/a", value, {"wrong about tensor \"a\""});
  for (const char* key : {"/tensors/a/sha256", "/tensors/a/source"})
    for (const Json& value : {Json(7), Json(""), Json(std::string(63, 'a')), Json(std::string(65, 'a')),
                              Json(std::string(64, 'A')), Json(std::string(64, 'g'))})
      refused(key, value, {"wrong about tensor \"a\""});
  for (const Json& value : {Json(-0.5), Json("0.1"), Json(nullptr)})
    refused("/tensors/a/error", value, {"wrong about tensor \"a\""});
  for (const char* text : {"", "{", "\xff", "{\"nibble\": 1e999}"})
    expect_refused(Receipt::parse(text, "here"), Errc::corrupt_file, {"here", "not valid JSON"});
  for (const char* text : {"[]", "7", "null"})
    expect_refused(Receipt::parse(text, "here"), Errc::corrupt_file, {"here", "is not an object"});
}

TEST(ReceiptRejected, InTheFileThatCarriesIt) {
  const made::Folder folder("receipt-rejected");
  made::write_llama(folder / "model");
  expect_refused(verify_checkpoint(folder / "model", {}, {}), Errc::unsupported,
                 {"has no receipt", "`quantize` writes"});
  QuantizeCheckpointOptions options;
  options.precision = QuantizationConfig::nf4();
  const auto done = quantize_checkpoint(folder / "model", folder / "out", options);
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_TRUE(verify_checkpoint(folder / "out", {}, {}));
  std::string bytes = made::read(folder / "out/model.safetensors");
  const std::string field = "\\\"recipe\\\"";  // the receipt is text inside the header's JSON
  const std::size_t at = bytes.find(field);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, field.size(), "\\\"recept\\\"");
  made::write(folder / "out/model.safetensors", bytes);
  expect_refused(verify_checkpoint(folder / "out", {}, {}), Errc::corrupt_file,
                 {(folder / "out").string(), "has no text \"recipe\""});
}

}  // namespace
}  // namespace nibble
