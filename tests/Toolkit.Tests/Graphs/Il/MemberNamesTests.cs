using System.Reflection;
using Toolkit.Graphs.Il;

namespace Toolkit.Tests.Graphs.Il;

/// <summary>Names in messages are those that the program's author wrote.</summary>
public sealed class MemberNamesTests
{
    private const BindingFlags All = BindingFlags.Static | BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public;

    private static int Scale { get; set; }

    [Fact]
    public void Members_AreAsTheyAreWritten()
    {
        Assert.Equal("List", MemberNames.Of(typeof(List<int>)));
        Assert.Equal("Dictionary[]", MemberNames.Of(typeof(Dictionary<int, int>[])));
        Assert.Equal("List.Add", MemberNames.Of(typeof(List<int>).GetMethod("Add")!));
        Assert.Equal("List[...]", MemberNames.Of(typeof(List<int>).GetMethod("set_Item")!));
        Assert.Equal("List.Count", MemberNames.Of(typeof(List<int>).GetMethod("get_Count")!));
        Assert.Equal("DateTime.Now", MemberNames.Of(typeof(DateTime).GetMethod("get_Now")!));
        Assert.Equal("new Random", MemberNames.Of(typeof(Random).GetConstructor([])!));
        Assert.Equal("MemberNamesTests.Scale", MemberNames.Of(typeof(MemberNamesTests).GetField("<Scale>k__BackingField", All)!));
    }

    [Fact]
    public void WhatTheCompilerMakes_BelongsToTheMethodItStandsIn()
    {
        Func<int, int> lambda = x => x + Scale;
        Assert.Equal("MemberNamesTests.WhatTheCompilerMakes_BelongsToTheMethodItStandsIn", MemberNames.Of(lambda.Method));
        Assert.Equal("MemberNamesTests.WhatTheCompilerMakes_BelongsToTheMethodItStandsIn", MemberNames.Of(Local(1).Method));
        Assert.Equal("MemberNamesTests.Numbers", MemberNames.Of(Numbers(1).GetType().GetMethod("MoveNext", All)!));

        static Func<int, int> Local(int y)
        {
            return Add;

            int Add(int x) => x + y;
        }
    }

    private static IEnumerator<int> Numbers(int count)
    {
        yield return count;
    }
}
