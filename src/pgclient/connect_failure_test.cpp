#include "pgclient/connect_failure.h"

#include <gtest/gtest.h>

namespace howdah::pgclient {
namespace {

TEST(ConnectFailure, ARefusalIsReadByItsCodeInAnyLanguage) {
    const auto russian = parse_connect_failure(
        "подключиться к серверу \"10.0.0.1\", порту 5432 не удалось: ВАЖНО:  53300: извините, "
        "уже слишком много клиентов\nПОЛОЖЕНИЕ:  ProcArrayAdd, procarray.c:486\n");
    EXPECT_EQ(russian.sqlstate, "53300");
    EXPECT_EQ(russian.words,
              "подключиться к серверу \"10.0.0.1\", порту 5432 не удалось: ВАЖНО:  извините, уже "
              "слишком много клиентов");
    const auto second = parse_connect_failure(
        "connection failed: FATAL:  28000: no pg_hba.conf entry, SSL on\nLOCATION:  a, b.c:1\n"
        "connection failed: FATAL:  28P01: password authentication failed\nDETAIL:  x\n"
        "LOCATION:  auth_failed, auth.c:338\n");
    EXPECT_EQ(second.sqlstate, "28P01");
    EXPECT_TRUE(second.words.ends_with("DETAIL:  x")) << second.words;
    const auto nobody = parse_connect_failure("could not connect: Connection refused\n");
    EXPECT_EQ(nobody.sqlstate, "");
    EXPECT_EQ(nobody.words, "could not connect: Connection refused\n");
}

}  // namespace
}  // namespace howdah::pgclient
