using Toolkit.Decoding;
using Toolkit.Models;
using TorchSharp;

namespace Toolkit.Tests.Decoding;

public sealed class DecodeSessionTests
{
    private static readonly int[] Ids = [1, 5, 9, 200, 33, 7, 7, 120];

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(8)]
    public void However_tokens_are_fed_the_logits_are_those_of_the_whole(int prompt)
    {
        using var model = TinyModel.Create();
        using var session = new DecodeSession(model, Ids.Length);
        session.Feed(Ids.AsSpan(0, prompt));
        for (var i = prompt; i < Ids.Length; i++)
        {
            session.Feed([Ids[i]]);
        }

        Assert.Equal(Ids.Length, session.Length);
        AssertClose(Whole(model, Ids), session.Logits);
    }

    [Fact]
    public void A_reset_session_begins_anew()
    {
        using var model = TinyModel.Create();
        using var session = new DecodeSession(model, Ids.Length);
        session.Feed(Ids);
        session.Reset();
        session.Feed([1, 2]);
        AssertClose(Whole(model, [1, 2]), session.Logits);
    }

    [Fact]
    public void What_does_not_fit_is_refused_whole()
    {
        using var model = TinyModel.Create();
        using var session = new DecodeSession(model, 4);
        session.Feed([1, 2, 3]);
        Assert.Contains("2 more tokens do not fit after 3 in a session of 4", Assert.Throws<InvalidOperationException>(() => session.Feed([4, 5])).Message, StringComparison.Ordinal);
        session.Feed([4]);
        AssertClose(Whole(model, [1, 2, 3, 4]), session.Logits);
        Assert.Contains("128 positions", Assert.Throws<ArgumentOutOfRangeException>(() => new DecodeSession(model, 129)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new DecodeSession(model, 0));
    }

    private static float[] Whole(Decoder model, int[] ids)
    {
        using var scope = torch.NewDisposeScope();
        using var mode = torch.no_grad();
        return model.forward(torch.tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0))[0, ids.Length - 1].data<float>().ToArray();
    }

    private static void AssertClose(float[] expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], 1e-4f);
        }
    }
}
