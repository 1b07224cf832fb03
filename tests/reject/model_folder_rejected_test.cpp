// Folders whose files are missing, damaged, misplaced or of a kind that Nibble does not read.
#include <sys/stat.h>
#include <sys/wait.h>

#include "../made/made_files.hpp"
#include "engine/load.hpp"
#include "nibble/evaluate.hpp"
#include "nibble/generate.hpp"
#include "nibble/quantize.hpp"
#include "refused.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using made::Json;

class ModelFolderRejected : public testing::Test {
 protected:
  ModelFolderRejected() : folder("folder-rejected"), model(folder / "model"), out(folder / "out") {
    made::write_llama(model);
  }
  // Loading and quantizing say the same, and nothing is left beside the model.
  void both(Errc code, const Words& words) {
    expect_refused(load_model(model, {}), code, words);
    expect_refused(quantize_checkpoint(model, out, {}), code, words);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "only the model is there";
  }
  // The model in two shards with an index.
  void shard() {
    auto tensors = made::llama_tensors();
    const std::vector<made::NamedShape> second(tensors.begin() + 5, tensors.end());
    tensors.resize(5);
    made::write(model / "model-00001-of-00002.safetensors", made::bf16_file(tensors));
    made::write(model / "model-00002-of-00002.safetensors", made::bf16_file(second));
    for (const auto& tensor : tensors) index["weight_map"][tensor.name] = "model-00001-of-00002.safetensors";
    for (const auto& tensor : second) index["weight_map"][tensor.name] = "model-00002-of-00002.safetensors";
    fs::remove(model / "model.safetensors");
    write_index();
  }
  void write_index() { made::write(model / "model.safetensors.index.json", index.dump()); }

  made::Folder folder;
  const fs::path model, out;
  Json index;
};

TEST_F(ModelFolderRejected, ShardsThatDoNotBelongTogether) {
  shard();
  ASSERT_TRUE(load_model(model, {})) << load_model(model, {}).error().message;
  fs::rename(model / "model-00002-of-00002.safetensors", folder / "aside");
  expect_refused(load_model(model, {}), Errc::not_found,
                 {"model-00002-of-00002.safetensors", "missing", "copy the file again"});
  fs::rename(folder / "aside", model / "model-00002-of-00002.safetensors");

  index["weight_map"]["model.layers.1.mlp.up_proj.weight"] = "model-00001-of-00002.safetensors";
  write_index();
  both(Errc::corrupt_file, {"model.layers.1.mlp.up_proj.weight", "model-00001-of-00002.safetensors"});

  fs::resize_file(model / "model-00002-of-00002.safetensors", 3000);
  both(Errc::corrupt_file, {"model-00002-of-00002.safetensors", "cut short"});

  fs::copy_file(model / "model-00001-of-00002.safetensors", model / "model-00002-of-00002.safetensors",
                fs::copy_options::overwrite_existing);
  both(Errc::corrupt_file, {"model.embed_tokens.weight", "stored twice"});
}

TEST_F(ModelFolderRejected, AnIndexThatLeadsOutOfTheFolder) {
  shard();
  made::write(folder / "outside.safetensors", made::bf16_file(made::llama_tensors()));
  const Json good = index;
  for (const Json& name : {Json("../outside.safetensors"), Json((folder / "outside.safetensors").string()), Json(".."),
                           Json(""), Json(7), Json("sub/model.safetensors"), Json(".hidden"), Json("a\\b"),
                           Json("a\nb"), Json(std::string(201, 'a')), Json(nullptr), Json::array()}) {
    index = good;
    index["weight_map"]["model.norm.weight"] = name;
    write_index();
    expect_refused(load_model(model, {}), Errc::corrupt_file,
                   {"model.safetensors.index.json", "model.norm.weight", "no file of this folder"});
  }
  made::write(model / "model.safetensors.index.json", "{}");
  expect_refused(load_model(model, {}), Errc::corrupt_file, {"index.json", "weight_map"});
}

TEST_F(ModelFolderRejected, ShardsThatAreNoFilesOfTensors) {
  shard();
  const fs::path second = model / "model-00002-of-00002.safetensors";
  const std::string name = second.filename().string();
  fs::remove(second);
  fs::create_symlink(name, second);  // a link to itself
  expect_refused(load_model(model, {}), Errc::io_failure, {name, "symbolic links"});
  fs::remove(second);
  fs::create_symlink("model.safetensors.index.json", second);  // the index once more
  expect_refused(load_model(model, {}), Errc::corrupt_file, {name, "not a safetensors file"});
  fs::remove(second);
  fs::create_directory(second);
  expect_refused(load_model(model, {}), Errc::bad_request, {name, "not a regular file"});
  fs::remove(second);
  ASSERT_EQ(::mkfifo(second.c_str(), 0600), 0);  // which must not be waited for
  expect_refused(load_model(model, {}), Errc::bad_request, {name, "not a regular file"});
  fs::remove(second);
  made::write(second, "");
  expect_refused(load_model(model, {}), Errc::corrupt_file, {name, "0 bytes", "too short"});
  index["weight_map"]["model.norm.weight"] = "model.safetensors.index.json";
  write_index();
  made::write(second, made::bf16_file({}));
  expect_refused(load_model(model, {}), Errc::corrupt_file, {"model.safetensors.index.json", "not a safetensors file"});
}

TEST_F(ModelFolderRejected, TensorsThatAreNotWhatTheConfigAsksFor) {
  auto tensors = made::llama_tensors();
  tensors[7].shape = {32, 64};
  made::write(model / "model.safetensors", made::bf16_file(tensors));
  both(Errc::corrupt_file, {model.string(), "mlp.gate_proj.weight", "[32, 64]", "[64, 32]"});
  tensors[7].shape = {64, 32, 1};
  made::write(model / "model.safetensors", made::bf16_file(tensors));
  both(Errc::corrupt_file, {"mlp.gate_proj.weight", "[64, 32, 1]"});
  tensors.erase(tensors.begin() + 7);
  made::write(model / "model.safetensors", made::bf16_file(tensors));
  both(Errc::corrupt_file, {"mlp.gate_proj.weight", "missing"});
}

// Names that contain those of the parts: none may be taken for one of them.
TEST_F(ModelFolderRejected, FusedWeightsAndUnknownNormsInPlaceOfTheirs) {
  const auto plain = made::llama_tensors();
  const std::string layer = "model.layers.0.";
  const auto replaced = [&](std::size_t first, std::size_t count, const made::NamedShape& by) {
    auto tensors = plain;
    tensors.erase(tensors.begin() + std::ptrdiff_t(first), tensors.begin() + std::ptrdiff_t(first + count));
    tensors.push_back(by);
    made::write(model / "model.safetensors", made::bf16_file(tensors));
  };
  replaced(2, 3, {layer + "self_attn.qkv_proj.weight", {64, 32}});
  both(Errc::corrupt_file, {"self_attn.q_proj.weight", "missing"});
  replaced(4, 1, {layer + "self_attn.qkv_proj.weight", {16, 32}});
  both(Errc::corrupt_file, {"self_attn.v_proj.weight", "missing"});
  replaced(8, 1, {layer + "mlp.gate_up_proj.weight", {64, 32}});
  both(Errc::corrupt_file, {"mlp.up_proj.weight", "missing"});
  replaced(1, 1, {layer + "pre_input_layernorm.weight", {32}});
  both(Errc::corrupt_file, {"input_layernorm.weight", "missing"});
}

TEST_F(ModelFolderRejected, QuantizedWeightsOfAnotherSize) {
  fs::remove_all(model);
  fs::copy(NIBBLE_SOURCE_DIR "/tests/golden/quantization/llama-nf4", model);
  ASSERT_TRUE(load_model(model, {})) << load_model(model, {}).error().message;
  Json config = Json::parse(made::read(model / "config.json"));
  config["intermediate_size"] = config["intermediate_size"].get<int>() * 2;
  made::write(model / "config.json", config.dump());
  expect_refused(load_model(model, {}), Errc::corrupt_file,
                 {model.string(), "mlp.gate_proj.weight", "config.json asks for"});
}

TEST_F(ModelFolderRejected, WeightsThatAreWholeNumbers) {
  std::string file = made::bf16_file(made::llama_tensors());
  for (std::size_t at; (at = file.find("\"BF16\"")) != std::string::npos;) file.replace(at, 6, "\"I16\" ");
  made::write(model / "model.safetensors", file);
  both(Errc::unsupported, {"model.embed_tokens.weight", "I16", "cannot read"});
}

// A weight that is not a number: quantizing refuses it wherever it stands, running when the output is none.
TEST_F(ModelFolderRejected, WeightsThatAreNotNumbers) {
  const std::string good = made::bf16_file(made::llama_tensors());
  const std::size_t data =
      8 + std::size_t(static_cast<unsigned char>(good[0])) + 256 * std::size_t(static_cast<unsigned char>(good[1]));
  const Json header = Json::parse(good.substr(8, data - 8));
  for (const char* bits : {"\xc0\x7f", "\x80\x7f", "\x80\xff"})  // NaN, infinity and its negative, little-endian bf16
    for (const made::NamedShape& tensor : made::llama_tensors()) {
      SCOPED_TRACE(tensor.name);
      std::string bad = good;
      bad.replace(data + header[tensor.name]["data_offsets"][0].get<std::size_t>() + 10, 2, bits, 2);
      made::write(model / "model.safetensors", bad);
      for (const QuantizationConfig& to : {QuantizationConfig::nf4(), QuantizationConfig(Precision::int8),
                                           QuantizationConfig(Precision::bf16), QuantizationConfig(Precision::fp32)}) {
        QuantizeCheckpointOptions options;
        options.precision = to;
        expect_refused(quantize_checkpoint(model, out, options), Errc::corrupt_file, {model.string(), tensor.name});
      }
      EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "only the model is there";
      const auto loaded = Model::load(model);
      ASSERT_TRUE(loaded) << loaded.error().message;
      expect_refused(generate_ids(*loaded, {{0, 1, 2}}), Errc::corrupt_file,
                     {model.string(), tensor.name, "NaN or infinity", "take the file again"});
      expect_refused(evaluate(*loaded, {0, 1, 2}, {}), Errc::corrupt_file, {tensor.name});
    }
}

TEST_F(ModelFolderRejected, PickledWeights) {
  fs::remove(model / "model.safetensors");
  for (const char* name : {"pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"}) {
    made::write(model / name, "\x80\x02");
    both(Errc::unsupported, {name, "pickled", "run code", "safetensors"});
    if (std::string(name).find(".json") == std::string::npos)
      expect_refused(load_model(model / name, {}), Errc::unsupported, {name, "pickled", "save_pretrained"});
    fs::remove(model / name);
  }
  both(Errc::not_found, {model.string(), "model.safetensors", "no weights"});
}

// FP8 checkpoints are not run, and their method is named; what they hold is told all the same.
TEST_F(ModelFolderRejected, TensorsOfAForeignQuantization) {
  Json config = made::llama_config();
  const auto plain = Model::inspect(model);
  ASSERT_TRUE(plain) << plain.error().message;
  config["quantization_config"] = {{"quant_method", "fp8"}, {"activation_scheme", "dynamic"}};
  made::write(model / "config.json", config.dump());
  const std::string name = "model.layers.0.mlp.up_proj.weight";
  made::write(model / "model.safetensors",
              made::safetensors(R"({")" + name + R"(":{"dtype":"F8_E4M3","shape":[64,32],"data_offsets":[0,2048]},")" +
                                    name + R"(_scale_inv":{"dtype":"F32","shape":[1,1],"data_offsets":[2048,2052]}})",
                                std::string(2052, 'x')));
  both(Errc::unsupported, {model.string(), "\"fp8\"", "nibble quantize"});
  const auto told = Model::inspect(model);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_FALSE(told->runs);
  EXPECT_NE(told->why_not.find("\"fp8\""), std::string::npos) << told->why_not;
  EXPECT_EQ(told->precision, "fp8");
  EXPECT_EQ(told->parameters, plain->parameters);
  EXPECT_EQ(told->bytes_by_dtype.at("F8_E4M3"), 2048u);
  EXPECT_EQ(told->bytes_by_class.at("linear_weights"), 2048u);
  EXPECT_EQ(told->bytes_by_class.at("quantization_state"), 4u);
  EXPECT_EQ(told->not_understood, std::vector<std::string>{name + "_scale_inv"});
}

// The same type in a model that says nothing of quantization.
TEST_F(ModelFolderRejected, ATypeThatIsKnownBySizeAlone) {
  std::string header, data;
  for (const auto& [name, shape] : made::llama_tensors()) {
    std::int64_t elements = 1;
    for (const std::int64_t size : shape) elements *= size;
    header +=
        fmt::format(R"({}"{}":{{"dtype":"F8_E5M2","shape":[{}],"data_offsets":[{},{}]}})", header.empty() ? "" : ",",
                    name, fmt::join(shape, ","), data.size(), data.size() + std::size_t(elements));
    data.append(std::size_t(elements), 'x');
  }
  made::write(model / "model.safetensors", made::safetensors("{" + header + "}", data));
  both(Errc::unsupported, {"F8_E5M2", "cannot read", "take another file"});
}

TEST_F(ModelFolderRejected, WhatIsNoModel) {
  made::write(folder / "notes.txt", "a file of words");
  expect_refused(load_model(folder / "notes.txt", {}), Errc::corrupt_file, {"notes.txt", "GGUF", "folder"});
  expect_refused(load_model(model / "config.json", {}), Errc::unsupported, {"config.json", "name a folder"});
  expect_refused(load_model(model / "model.safetensors", {}), Errc::bad_request, {"name the folder"});
  expect_refused(load_model(folder / "nowhere", {}), Errc::not_found, {"nowhere", "no such folder or file"});
  expect_refused(load_model(folder.path(), {}), Errc::not_found, {folder.path().string(), "config.json"});
  expect_refused(load_model("/dev/null", {}), Errc::not_found, {"/dev/null"});
}

TEST_F(ModelFolderRejected, WhatMayNotBeRead) {
  const auto denied = [this](const fs::path& path, const std::string& word) {
    ASSERT_EQ(::chmod(path.c_str(), 0), 0);
    const pid_t child = ::fork();  // root may read everything, so somebody else looks
    if (child == 0) {
      if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
      const auto loaded = load_model(model, {});
      const bool said = !loaded && loaded.error().code == Errc::io_failure &&
                        loaded.error().message.find(word) != std::string::npos &&
                        loaded.error().message.find("Permission denied") != std::string::npos &&
                        loaded.error().message.find("check") != std::string::npos;
      if (!said && !loaded) std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
      ::_exit(said ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << path;
    ::chmod(path.c_str(), 0755);
  };
  denied(model / "model.safetensors", "model.safetensors");
  denied(model / "config.json", "config.json");
  denied(model, "model");
}

}  // namespace
}  // namespace nibble
