#include "config/hba.h"

#include <gtest/gtest.h>

namespace howdah::config {
namespace {

std::string fault(const std::string& line) {
    return fault_text(parse_hba({line}).faults);
}

TEST(Hba, TakesWhatPostgresqlTakes) {
    for (const auto* line : {
             "",
             "   ",
             "# a comment",
             "local all all trust",
             "local\tall\tall\tpeer map=admins # why",
             "local all all ident map=admins",
             "host all all 127.0.0.1/32 md5",
             "host all all 10.0.0.0 255.0.0.0 scram-sha-256",
             "host all all ::1/128 scram-sha-256",
             "host all all fe80::1%lo/64 scram-sha-256",
             "host all all 0.0.0.0/0 reject",
             "host all all all password",
             "host all all samenet trust",
             "host all all db.example.com trust",
             "host all all .example.com trust",
             "host \"all\", \"a b\",c, d \"+x\",+y,@users samehost scram-sha-256",
             "host a,b,@dbs \"we\"\"ird\" \"10.0.0.0/8\" trust",
             "host \"/^db[0-9]+$\" /^app 10.0.0.0/8 trust",
             "hostssl all all all cert clientcert=verify-full clientname=DN map=m",
             "hostssl all all all scram-sha-256 clientcert=verify-ca",
             "hostnossl all all 0.0.0.0/0 reject",
             "hostgssenc all all all gss include_realm=0 krb_realm=EXAMPLE.COM",
             "hostnogssenc all all ::/0 reject",
             "host all all all pam pamservice=postgresql pam_use_hostname=1",
             "host all all all ldap ldapserver=l ldapprefix=\"cn=\" ldapsuffix=\", dc=x\"",
             "host all all all radius radiusservers=\"a,b\" radiussecrets=\"c,d\"",
             "host all all all oauth issuer=\"https://x\" scope=\"a b\"",
             "include other.conf",
             "include_if_exists other.conf",
             "include_dir hba.d",
             "host all all \\\n 10.0.0.0/8 trust",
             "local all all trust\nhost all all all reject",
         }) {
        EXPECT_EQ(fault(line), "") << line;
    }
}

TEST(Hba, RefusesWithTheLineAndWhy) {
    EXPECT_EQ(fault(" hostt all all 127.0.0.0/8 trust"),
              "line \"hostt all all 127.0.0.0/8 trust\": invalid connection type \"hostt\"");
    for (const auto* line : {
             "local",
             "local all",
             "local all all",
             "host all all",
             "local,host all all trust",
             "host all all 10.1.2.3 scram-sha-256",
             "host all all 10.1.2.3",
             "host all all 10.0.0.0/33 trust",
             "host all all 10.0.0.0/ trust",
             "host all all ::1/129 trust",
             "host all all 10.0.0.0 ffff:: trust",
             "host all all db.example.com/8 trust",
             "host all all 10.0.0.0/8,11.0.0.0/8 trust",
             "host all all 10.0.0.0/8",
             "host all all 10.0.0.0/8 trust,md5",
             "host all all 10.0.0.0/8 sha256",
             "host all all 10.0.0.0/8 peer",
             "local all all gss",
             "host all all all cert",
             "host all all all trust nonsense",
             "host all all all trust nonsense=1",
             "host all all all md5 map=x",
             "host all all all md5 clientcert=verify-ca",
         }) {
        EXPECT_NE(fault(line), "") << line;
    }
}

HbaVerdict verdict(const std::vector<std::string>& lines, const HbaLogin& login) {
    return hba_answer(parse_hba(lines).rules, login).verdict;
}

TEST(Hba, TheFirstLineThatMatchesDecides) {
    const HbaLogin super{.database = "postgres", .user = "postgres", .address = "10.0.0.1"};
    const HbaLogin repl{.user = "rep", .address = "10.0.0.1"};
    EXPECT_EQ(verdict({}, super), HbaVerdict::no_line);
    EXPECT_EQ(verdict({"host all all 10.0.0.0/8 md5"}, super), HbaVerdict::asks);
    EXPECT_EQ(verdict({"host all all 10.0.0.0 255.255.255.0 trust"}, super), HbaVerdict::trust);
    EXPECT_EQ(verdict({"host all all 10.0.1.0/24 trust"}, super), HbaVerdict::no_line);
    EXPECT_EQ(verdict({"host all all ::/0 trust"}, super), HbaVerdict::no_line);
    EXPECT_EQ(verdict({"local all all trust"}, super), HbaVerdict::no_line);
    EXPECT_EQ(verdict({"host all app all trust", "host all all all reject"}, super),
              HbaVerdict::rejected);
    EXPECT_EQ(verdict({"host sameuser all all trust"}, super), HbaVerdict::trust);
    EXPECT_EQ(verdict({"host \"all\" all all trust"}, super), HbaVerdict::no_line);
    // `all` has no replication in it.
    EXPECT_EQ(verdict({"host all all all trust"}, repl), HbaVerdict::no_line);
    EXPECT_EQ(verdict({"host replication rep 10.0.0.1/32 md5"}, repl), HbaVerdict::asks);
    EXPECT_EQ(verdict({"host \"replication\" rep all md5"}, repl), HbaVerdict::no_line);
}

TEST(Hba, WhatTheLinesDoNotSayIsUnknown) {
    const HbaLogin login{.database = "d", .user = "u", .address = "10.0.0.1"};
    for (const auto* line :
         {"host all +admins all md5", "host /d all all md5", "host all @users all md5",
          "host samerole all all md5", "host all all samenet md5", "host all all pg1 md5",
          "hostssl all all all md5", "include more.conf"}) {
        EXPECT_EQ(verdict({line}, login), HbaVerdict::unknown) << line;
        EXPECT_EQ(verdict({line, "host all all all reject"}, login), HbaVerdict::unknown) << line;
    }
    EXPECT_EQ(verdict({"hostnossl all all all reject", "host all all all md5"}, login),
              HbaVerdict::unknown);
    EXPECT_EQ(verdict({"hostnossl all all all reject"}, login), HbaVerdict::no_line);
    const HbaLogin named{.database = "d", .user = "u", .address = "pg1.example"};
    EXPECT_EQ(verdict({"host all all 10.0.0.0/8 md5"}, named), HbaVerdict::unknown);
    EXPECT_EQ(verdict({"host x all 10.0.0.0/8 md5"}, named), HbaVerdict::no_line);
}

}  // namespace
}  // namespace howdah::config
