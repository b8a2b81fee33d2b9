"""Lists and bulk deletions, said to both."""

from fidelity import case
from fidelity_objects import md5

LISTED = ["A/1", "A/2", "a", "a b", "b/1/x", "b/2", "c+d", "ü", "z"]
LISTS = {
    "everything": {},
    "a prefix": {"Prefix": "a"},
    "a folder": {"Prefix": "A/"},
    "a unicode prefix": {"Prefix": "ü"},
    "no such prefix": {"Prefix": "nothing"},
    "an empty prefix": {"Prefix": ""},
    "a delimiter": {"Delimiter": "/"},
    "an odd delimiter": {"Delimiter": " "},
    "an empty delimiter": {"Delimiter": ""},
    "a folder's folders": {"Delimiter": "/", "Prefix": "b/"},
    "one at a time": {"MaxKeys": 1},
    "none at all": {"MaxKeys": 0},
    "more than a page": {"MaxKeys": 5000},
    "two, folders counted": {"Delimiter": "/", "MaxKeys": 2},
    "url encoding": {"EncodingType": "url", "Delimiter": "+"},
}


@case(LISTS)
def list_of(talk, options):
    for key in LISTED:
        talk.put_object(Key=key, Body=b"x")
    talk.list_objects(**options)
    answer = talk.list_objects_v2(**options, FetchOwner=True)
    for _ in range(3):
        if not answer.get("IsTruncated"):
            break
        token = talk.hide("TOKEN", answer["NextContinuationToken"])
        answer = talk.list_objects_v2(**options, ContinuationToken=token)


@case()
def a_list_from_somewhere(talk):
    for key in "abcd":
        talk.put_object(Key=key, Body=b"x")
    for start in ("", "a", "bb", "z", "\t"):
        talk.list_objects(Marker=start)
        talk.list_objects_v2(StartAfter=start)
    talk.send("GET", "?x-id=ListObjects&unknown=1")


@case(strict=True)
def a_list_that_is_wrong(talk):
    talk.put_object(Key="k", Body=b"x")
    talk.list_objects_v2(ContinuationToken="not-a-token")
    talk.list_objects_v2(ContinuationToken="")
    talk.list_objects(MaxKeys=-1)
    for query in (
        "list-type=2&max-keys=blah",
        "list-type=2&encoding-type=base64",
        "list-type=3",
        "max-keys=",
    ):
        talk.send("GET", f"?{query}")


@case()
def many_deleted(talk):
    for key in ("a", "b", "c d", "ü"):
        talk.put_object(Key=key, Body=b"x")
    objects = [{"Key": key} for key in ("a", "gone", "c d")]
    talk.delete_objects(Delete={"Objects": objects})
    talk.delete_objects(Delete={"Objects": [{"Key": "b"}], "Quiet": True})
    talk.list_objects_v2()


@case(strict=True, own_words=True)
def deletions_that_are_wrong(talk):
    talk.delete_objects(Delete={"Objects": []})
    for body in (b"", b"<Delete/>", b"<Other/>"):
        talk.send("POST", "?delete", {"content-md5": md5(body)}, body)
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    talk.send("POST", "?delete", {"content-md5": md5(b"other")}, body)
    talk.send("POST", "?delete", {}, body)
