// Lists and heads of answers that are not what the hub would have said.
#include "hub/hub_answers.hpp"

#include <gtest/gtest.h>

namespace nibble {
namespace {

const std::string commit(40, 'a');

HttpResponse head(int status, const std::vector<std::string>& lines) {
  HttpResponse out;
  out.status = status;
  for (const std::string& line : lines) add_header(out, line + "\r\n");
  return out;
}

TEST(HubAnswers, AListGivesACommitAndPlainNames) {
  const auto list = read_listing("{\"sha\":\"" + commit +
                                     R"(","siblings":[{"rfilename":"a.json"},{"rfilename":"../b"},)"
                                     R"({"rfilename":"c/d"},{"rfilename":".e"},{"rfilename":7},{"other":"f"},8,null]})",
                                 "list", "http://hub");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->commit, commit);
  EXPECT_EQ(list->files, std::vector<std::string>{"a.json"});
  for (const std::string& wrong :
       {std::string("{"), std::string("[]"), std::string("7"), std::string("{}"), std::string(R"({"sha":7})"),
        std::string(R"({"sha":"main"})"), "{\"sha\":\"" + std::string(40, 'A') + "\"}", "{\"sha\":\"" + commit + "a\"}",
        std::string(100'000, '[')}) {
    const auto refused = read_listing(wrong, "list", "http://hub");
    ASSERT_FALSE(refused) << wrong.substr(0, 80);
    EXPECT_EQ(int(refused.error().code), int(Errc::corrupt_file));
    EXPECT_NE(refused.error().message.find("list"), std::string::npos) << refused.error().message;
  }
}

TEST(HubAnswers, AFileHasASizeAndAnEtag) {
  const auto own = read_file_facts(head(200, {"HTTP/1.1 200 OK", "ETag: W/\"abc\"", "Content-Length: 12"}), "file");
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->etag + ":" + std::to_string(own->bytes), "abc:12");
  const auto linked = read_file_facts(
      head(302, {"etag: other", "content-length: 3", "X-LINKED-ETAG: \"def\"", "X-Linked-Size:70000000000"}), "file");
  ASSERT_TRUE(linked) << linked.error().message;
  EXPECT_EQ(linked->etag + ":" + std::to_string(linked->bytes), "def:70000000000");
  for (const char* size : {"", "-1", "1.5", "12x", "0x10", "99999999999999999999", "70368744177665"}) {
    const auto refused = read_file_facts(head(200, {"ETag: a", std::string("Content-Length: ") + size}), "file");
    ASSERT_FALSE(refused) << size;
    EXPECT_NE(refused.error().message.find("file: the server names no usable size"), std::string::npos);
  }
  for (const std::string& etag : {std::string(), std::string("\"\""), std::string("../x"), std::string("a/b"),
                                  std::string(".."), std::string(129, 'a'), std::string("a\x01")})
    EXPECT_FALSE(read_file_facts(head(200, {"ETag: " + etag, "Content-Length: 1"}), "file")) << etag;
}

TEST(HubAnswers, OnlyAPathRedirectsWithinTheHost) {
  const auto from = [](const std::string& url, const std::vector<std::string>& lines, int status = 307) {
    return redirected_within_host(url, head(status, lines)).value_or("");
  };
  EXPECT_EQ(from("http://hub/mirror/a", {"Location: /b"}), "http://hub/b");
  EXPECT_EQ(from("http://hub", {"Location: /b"}), "http://hub/b");
  EXPECT_EQ(from("http://hub/a", {"Location: //evil/b"}), "http://hub//evil/b");
  EXPECT_EQ(from("http://hub/a", {"Location: http://evil/b"}), "");
  EXPECT_EQ(from("http://hub/a", {"Location: @evil/b"}), "");
  EXPECT_EQ(from("http://hub/a", {"Location: /b", "X-Linked-Etag: x"}), "");
  EXPECT_EQ(from("http://hub/a", {"Location: /b"}, 200), "");
  EXPECT_EQ(from("http://hub/a", {}), "");
}

TEST(HubAnswers, AWaitIsBounded) {
  const auto wait = [](const std::string& value) {
    return read_retry_after(head(429, {"Retry-After: " + value})).value_or(-1);
  };
  EXPECT_EQ(wait("7"), 7);
  EXPECT_EQ(wait("0.5"), 0.5);
  EXPECT_EQ(wait("86400"), 300);
  EXPECT_EQ(wait("inf"), 300);
  for (const char* none : {"", "-3", "nan", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "7 s"})
    EXPECT_EQ(wait(none), -1) << none;
}

TEST(HubAnswers, AHeadHasAnEnd) {
  HttpResponse answer;
  for (int i = 0; i < 100'000; ++i) add_header(answer, "x-" + std::to_string(i) + ": y");
  EXPECT_LE(answer.headers.size(), 200u);
  add_header(answer, "HTTP/1.1 200 OK");
  EXPECT_TRUE(answer.headers.empty());
}

}  // namespace
}  // namespace nibble
