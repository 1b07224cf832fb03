// Every way a GGUF file can be wrong, as container and as model.
#include "../made/made_files.hpp"
#include "engine/load.hpp"
#include "models/architectures.hpp"
#include "nibble/quantize.hpp"
#include "refused.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using made::little_endian;

made::Gguf one_tensor() {
  made::Gguf file;
  file.text("general.architecture", "llama");
  file.tensors.push_back({"t", {4, 2}, 0, std::string(32, '\1')});
  return file;
}

template <class Change>
std::string changed(made::Gguf file, Change change) {
  change(file);
  return file.bytes();
}
template <class Change>
std::string tensor(Change change) {
  return changed(one_tensor(), [&](made::Gguf& file) { change(file.tensors[0]); });
}

const std::string list_of = little_endian(9, 4);  // an array's type

const std::vector<WrongBytes> containers = {
    {"an empty file", "", Errc::corrupt_file, {"does not begin with \"GGUF\"", "name a .gguf file"}},
    {"another magic", "GGML" + std::string(40, '\0'), Errc::corrupt_file, {"GGUF"}},
    {"version 1", changed(one_tensor(), [](auto& f) { f.version = 1; }), Errc::unsupported, {"version 1", "2 and 3"}},
    {"version 99", changed(one_tensor(), [](auto& f) { f.version = 99; }), Errc::unsupported, {"version 99"}},
    {"big-endian",
     changed(one_tensor(), [](auto& f) { f.version = 3u << 24; }),
     Errc::unsupported,
     {"big-endian", "convert"}},
    {"a count of keys without end",
     changed(one_tensor(), [](auto& f) { f.extra_keys = 1ull << 40; }),
     Errc::corrupt_file,
     {"1099511627777 keys"}},
    {"a count of tensors without end",
     changed(one_tensor(), [](auto& f) { f.extra_tensors = ~0ull - 1; }),
     Errc::corrupt_file,
     {"18446744073709551615 tensors"}},
    {"one key more than there are", changed(one_tensor(), [](auto& f) { f.extra_keys = 1; }), Errc::corrupt_file, {}},
    {"a text longer than the file",
     made::Gguf().raw("k", 8, little_endian(1ull << 41, 8)).bytes(),
     Errc::corrupt_file,
     {"byte", "inside k", "cut short"}},
    {"an array longer than the file",
     made::Gguf().raw("k", 9, little_endian(5, 4) + little_endian(1 << 20, 8)).bytes(),
     Errc::corrupt_file,
     {"inside k"}},
    {"an array of terabytes",
     made::Gguf().raw("k", 9, little_endian(0, 4) + little_endian(1ull << 42, 8)).bytes(),
     Errc::corrupt_file,
     {"\"k\"", "4398046511104"}},
    {"arrays in arrays in arrays",
     made::Gguf()
         .raw("k", 9,
              [] {
                std::string deep;
                for (int i = 0; i < 40; ++i) deep += list_of + little_endian(1, 8);
                return deep;
              }())
         .bytes(),
     Errc::corrupt_file,
     {"\"k\"", "nest deeper"}},
    {"a type of value that does not exist",
     made::Gguf().raw("k", 13, "").bytes(),
     Errc::corrupt_file,
     {"\"k\"", "unknown value type 13"}},
    {"a key that is no ASCII",
     made::Gguf().u32("k\xc3\xa9", 1).bytes(),
     Errc::corrupt_file,
     {"byte", "name of metadata key 0", "ASCII"}},
    {"a key with a line break", made::Gguf().u32("a\nb", 1).bytes(), Errc::corrupt_file, {"metadata key 0", "ASCII"}},
    {"a key of 64 KiB", made::Gguf().u32(std::string(65536, 'k'), 1).bytes(), Errc::corrupt_file, {"at most 65535"}},
    {"a key twice", made::Gguf().u32("k", 1).u32("k", 2).bytes(), Errc::corrupt_file, {"\"k\"", "twice"}},
    {"an alignment of 48",
     made::Gguf().u32("general.alignment", 48).bytes(),
     Errc::corrupt_file,
     {"general.alignment", "48", "power of two"}},
    {"an alignment of nothing",
     made::Gguf().u32("general.alignment", 0).bytes(),
     Errc::corrupt_file,
     {"general.alignment"}},
    {"an alignment in words",
     made::Gguf().text("general.alignment", "32").bytes(),
     Errc::corrupt_file,
     {"general.alignment", "whole number"}},
    {"a tensor without dimensions",
     tensor([](auto& t) { t.shape.clear(); }),
     Errc::corrupt_file,
     {"\"t\"", "0 dimensions"}},
    {"nine dimensions", tensor([](auto& t) { t.shape.assign(9, 1); }), Errc::corrupt_file, {"\"t\"", "9 dimensions"}},
    {"a dimension of terabytes",
     tensor([](auto& t) { t.shape = {1ull << 50}; }),
     Errc::corrupt_file,
     {"\"t\"", "1125899906842624"}},
    {"dimensions that overflow",
     tensor([](auto& t) {
       t.shape = {1ull << 40, 1ull << 40};
     }),
     Errc::corrupt_file,
     {"\"t\"", "impossible"}},
    {"a type of tensor that does not exist",
     tensor([](auto& t) { t.type = 99; }),
     Errc::unsupported,
     {"\"t\"", "type 99"}},
    {"rows that are no whole blocks",
     tensor([](auto& t) { t.type = 3; }),
     Errc::corrupt_file,
     {"\"t\"", "rows of 4", "32 Q4_1"}},
    {"an offset beyond the file",
     tensor([](auto& t) { t.offset = 1 << 20; }),
     Errc::corrupt_file,
     {"\"t\"", "1048576", "ends before"}},
    {"an offset that overflows", tensor([](auto& t) { t.offset = INT64_MAX - 31; }), Errc::corrupt_file, {"\"t\""}},
    {"an offset off the grid",
     tensor([](auto& t) { t.offset = 4; }),
     Errc::corrupt_file,
     {"\"t\"", "offset 4", "multiple of 32"}},
    {"more data than the file has",
     tensor([](auto& t) {
       t.shape = {4, 200};
     }),
     Errc::corrupt_file,
     {"\"t\"", "3200 bytes", "cut short"}},
    {"tensors that overlap",
     changed(one_tensor(),
             [](auto& f) {
               f.tensors.push_back({"u", {8}, 0, std::string(32, '\1'), 0});
             }),
     Errc::corrupt_file,
     {"overlap", "byte 0"}},
    {"a tensor twice",
     changed(one_tensor(), [](auto& f) { f.tensors.push_back(f.tensors[0]); }),
     Errc::corrupt_file,
     {"\"t\"", "twice"}},
};

TEST(GgufRejected, EveryWrongContainerIsNamedWithTheFile) { expect_all_refused(containers, "model.gguf", Gguf::parse); }

TEST(GgufRejected, EveryShorterPieceOfAGoodFileIsRefused) {
  expect_every_cut_refused(one_tensor().u32("k", 7).texts("list", {"a", "bc"}).bytes(), Gguf::parse);
}

const std::vector<WrongBytes> models = {
    {"no architecture", made::Gguf().bytes(), Errc::corrupt_file, {"general.architecture", "missing"}},
    {"an architecture in numbers",
     made::Gguf().u32("general.architecture", 1).bytes(),
     Errc::corrupt_file,
     {"general.architecture", "not text"}},
    {"an architecture that comes later",
     made::Gguf().text("general.architecture", "gemma2").bytes(),
     Errc::unsupported,
     {"Gemma2ForCausalLM", "inspect"}},
    {"an architecture that nobody knows",
     made::Gguf().text("general.architecture", "parrot").bytes(),
     Errc::unsupported,
     {"parrot", "LlamaForCausalLM"}},
    {"experts", made::llama_gguf().u32("llama.expert_count", 8).bytes(), Errc::unsupported, {"MixtralForCausalLM"}},
    {"no number of layers",
     made::llama_gguf().without("llama.block_count").bytes(),
     Errc::corrupt_file,
     {"llama.block_count", "missing"}},
    {"no epsilon",
     made::llama_gguf().without("llama.attention.layer_norm_rms_epsilon").bytes(),
     Errc::corrupt_file,
     {"layer_norm_rms_epsilon", "missing"}},
    {"layers in words",
     made::llama_gguf().without("llama.block_count").text("llama.block_count", "one").bytes(),
     Errc::corrupt_file,
     {"llama.block_count", "number"}},
    {"two layers where there is one",
     made::llama_gguf().without("llama.block_count").u32("llama.block_count", 2).bytes(),
     Errc::corrupt_file,
     {"model.layers.1.input_layernorm.weight", "missing"}},
    {"a billion layers",
     made::llama_gguf().without("llama.block_count").u32("llama.block_count", 1000000000).bytes(),
     Errc::corrupt_file,
     {"num_hidden_layers", "1000000000"}},
    {"no heads",
     made::llama_gguf().without("llama.attention.head_count").u32("llama.attention.head_count", 0).bytes(),
     Errc::corrupt_file,
     {"llama.attention.head_count", "0"}},
    {"heads that do not divide the rows",
     made::llama_gguf().without("llama.attention.head_count").u32("llama.attention.head_count", 3).bytes(),
     Errc::unsupported,
     {"rope.dimension_count"}},
    {"rope on a part of the head",
     made::llama_gguf().without("llama.rope.dimension_count").u32("llama.rope.dimension_count", 8).bytes(),
     Errc::unsupported,
     {"llama.rope.dimension_count", "8", "16"}},
    {"values of another width than keys",
     made::llama_gguf().u32("llama.attention.value_length", 32).bytes(),
     Errc::unsupported,
     {"llama.attention.value_length"}},
    {"a key that is not understood",
     made::llama_gguf().f32("llama.logit_scale", 0.5f).bytes(),
     Errc::unsupported,
     {"llama.logit_scale", "0.5", "--ignore-config"}},
    {"a key that is not understood, with a value that is no text",
     made::llama_gguf().text("llama.mystery", "a\xff\x1b[2J").bytes(),
     Errc::unsupported,
     {"llama.mystery", "--ignore-config"}},
    {"an architecture that is no text",
     made::Gguf().text("general.architecture", "\xff\xfe").bytes(),
     Errc::unsupported,
     {"cannot be run"}},
    {"a scaling of rope that is no text",
     made::llama_gguf().text("llama.rope.scaling.type", "\xff").bytes(),
     Errc::unsupported,
     {"rope type"}},
    {"a scaling of rope that is not known",
     made::llama_gguf().text("llama.rope.scaling.type", "longrope").bytes(),
     Errc::unsupported,
     {"longrope", "yarn"}},
    {"a matrix that is missing",
     changed(made::llama_gguf(), [](auto& f) { f.tensors.erase(f.tensors.begin() + 3); }),
     Errc::corrupt_file,
     {"self_attn.k_proj.weight", "missing"}},
    {"a matrix on its side",
     changed(made::llama_gguf(), [](auto& f) { std::swap(f.tensors[7].shape[0], f.tensors[7].shape[1]); }),
     Errc::corrupt_file,
     {"mlp.gate_proj.weight", "[32, 64]", "[64, 32]"}},
    {"rows that the heads do not divide",
     changed(made::llama_gguf(), [](auto& f) { f.tensors[2].shape[1] = 30; }),
     Errc::corrupt_file,
     {"blk.0.attn_q.weight", "30 rows", "2 heads do not divide"}},
    {"a matrix in blocks that Nibble cannot read",
     changed(made::llama_gguf(),
             [](auto& f) {
               f.tensors[7].type = 9;
               f.tensors[7].data.resize(64 * 36);  // Q8_1
             }),
     Errc::unsupported,
     {"mlp.gate_proj.weight", "Q8_1", "cannot read"}},
    {"a tensor that has no place",
     changed(made::llama_gguf(),
             [](auto& f) {
               f.tensors.push_back({"blk.0.attn_sinks.weight", {2}, 0, std::string(8, '\0')});
             }),
     Errc::unsupported,
     {"attn_sinks", "no place"}},
    {"q, k and v in one weight beside them",
     changed(made::llama_gguf(),
             [](auto& f) {
               f.tensors.push_back({"blk.0.attn_qkv.weight", {32, 64}, 30, std::string(4096, '\0')});
             }),
     Errc::unsupported,
     {"blk.0.attn_qkv.weight", "no place"}},
    {"gate and up in one weight, under Hugging Face's name",
     changed(made::llama_gguf(),
             [](auto& f) {
               f.tensors.push_back({"model.layers.0.mlp.gate_up_proj.weight", {32, 128}, 30, std::string(8192, '\0')});
             }),
     Errc::unsupported,
     {"gate_up_proj.weight", "no place"}},
    {"a norm that this block lacks",
     changed(made::llama_gguf(),
             [](auto& f) {
               f.tensors.push_back({"blk.0.post_attention_norm.weight", {32}, 0, std::string(128, '\0')});
             }),
     Errc::unsupported,
     {"post_attention_norm", "no place"}},
    {"rope factors for another width",
     changed(made::llama_gguf(),
             [](auto& f) {
               f.tensors.push_back({"rope_freqs.weight", {4}, 0, std::string(16, '\1')});
             }),
     Errc::corrupt_file,
     {"rope_freqs.weight", "expected F32 [8]"}},
    {"rope factors of zero",
     changed(made::llama_gguf(),
             [](auto& f) {
               f.tensors.push_back({"rope_freqs.weight", {8}, 0, std::string(32, '\0')});
             }),
     Errc::corrupt_file,
     {"rope_freqs.weight", "positive"}},
    {"NaN in a matrix that has to be decoded",
     changed(made::llama_gguf(),
             [](auto& f) {
               f.tensors[2].data[1] = '\x7f';
               f.tensors[2].data[0] = '\xc0';
             }),
     Errc::corrupt_file,
     {"self_attn.q_proj.weight", "NaN", "row 0, column 0"}},
};

TEST(GgufRejected, EveryModelThatCannotBeRunIsNamedWithTheFile) {
  const made::Folder folder("gguf-rejected");
  const fs::path file = folder / "model.gguf";
  made::write(file, made::llama_gguf().bytes());
  ASSERT_TRUE(load_model(file, {})) << load_model(file, {}).error().message;
  for (const WrongBytes& c : models) {
    SCOPED_TRACE(c.what);
    made::write(file, c.bytes);
    Words words = c.words;
    words.push_back(file.string());
    expect_refused(load_model(file, {}), c.code, words);
  }
}

// From the list, so that a new architecture is checked too.
TEST(GgufRejected, NoArchitectureRunsWithoutTheKeysThatSayHowBigItIs) {
  const made::Folder folder("gguf-keys");
  const fs::path file = folder / "model.gguf";
  for (const Architecture& architecture : architectures()) {
    if (!architecture.runs) continue;
    const std::string name(architecture.gguf);
    ASSERT_FALSE(name.empty()) << architecture.name;
    made::Gguf made;
    made.text("general.architecture", name);
    for (const char* key : {"block_count", "context_length", "embedding_length", "feed_forward_length",
                            "attention.head_count", "attention.layer_norm_rms_epsilon"}) {
      made::write(file, made.bytes());
      expect_refused(load_model(file, {}), Errc::corrupt_file, {file.string(), name + "." + key, "missing"});
      made.u32(name + "." + key, 2);
    }
  }
}

TEST(GgufRejected, ATemplateThatIsNoTextIsNotWrittenToAFolder) {
  const made::Folder folder("gguf-template");
  const fs::path file = folder / "model.gguf";
  made::write(file, made::llama_gguf().text("tokenizer.chat_template", "{{ '\xff' }}").bytes());
  ASSERT_TRUE(load_model(file, {})) << load_model(file, {}).error().message;
  expect_refused(quantize_checkpoint(file, folder / "out", {}), Errc::corrupt_file,
                 {file.string(), "tokenizer.chat_template", "UTF-8"});
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "only the model is there";
}

TEST(GgufRejected, AnArchitectureThatComesLaterIsStillInspected) {
  const made::Folder folder("gguf-inspect");
  const fs::path file = folder / "model.gguf";
  made::Gguf gemma;
  gemma.text("general.architecture", "gemma2").u32("gemma2.embedding_length", 32).u32("gemma2.block_count", 1);
  gemma.tensors.push_back({"token_embd.weight", {32, 48}, 30, made::bf16_values(32 * 48, 1)});
  made::write(file, gemma.bytes());
  const auto described = Model::inspect(file);
  ASSERT_TRUE(described) << described.error().message;
  EXPECT_EQ(described->architecture, "Gemma2ForCausalLM");
  EXPECT_FALSE(described->runs);
  EXPECT_EQ(described->parameters, 32u * 48u);
  EXPECT_EQ(described->bytes_by_dtype.at("BF16"), 2u * 32u * 48u);
}

TEST(GgufRejected, AFileWithoutTokenizerLoadsAndSaysSoWhenOneIsNeeded) {
  const made::Folder folder("gguf-tokenizer");
  const fs::path file = folder / "model.gguf";
  made::write(file, made::llama_gguf().without("tokenizer.ggml.model").bytes());
  const auto model = load_model(file, {});
  ASSERT_TRUE(model) << model.error().message;
  expect_refused((*model)->tokenizer(), Errc::corrupt_file, {file.string(), "tokenizer.ggml.model", "missing"});
}

}  // namespace
}  // namespace nibble
