// The rules of docs/pong.md, with chance from Math.random.
const LEFT = 0;
const RIGHT = 1;
const KEYS = { w: "up", ArrowUp: "up", s: "down", ArrowDown: "down" };

export function setup(durationS) {
  return {
    ticksLeft: durationS * 60,
    serveSide: Math.random() < 0.5 ? LEFT : RIGHT,
    serveInTicks: 1,
    paddles: [newPaddle(), newPaddle()],
    scores: [0, 0],
    ball: null,
  };
}

function newPaddle() {
  return { y: 37.5, speed: 0, up: false, down: false };
}

export function press(state, seat, direction, action) {
  const key = KEYS[direction];
  if (key && state.paddles[seat]) state.paddles[seat][key] = action === "down";
}

export function step(state) {
  if (state.ticksLeft === 0) return;
  state.ticksLeft -= 1;
  const [left, right] = state.paddles;
  movePaddle(left);
  movePaddle(right);
  if (state.ball) {
    moveBall(state.ball, left, right);
    if (state.ball.x < -1.65) score(state, RIGHT);
    else if (state.ball.x > 98.35) score(state, LEFT);
  } else if (--state.serveInTicks === 0) serve(state);
}

function movePaddle(paddle) {
  if (paddle.up !== paddle.down) {
    const speed = paddle.speed + (paddle.up ? -0.8 : 0.8);
    paddle.speed = limit(speed);
  } else if (paddle.speed === 0) {
    return;
  } else {
    paddle.speed *= 0.9;
    if (Math.abs(paddle.speed) < 0.001) paddle.speed = 0;
  }
  paddle.y += paddle.speed;
  if (paddle.y < 0 || paddle.y > 75) {
    paddle.y = Math.min(Math.max(paddle.y, 0), 75);
    paddle.speed = 0;
  }
}

function serve(state) {
  const side = state.serveSide;
  state.ball = {
    x: 48.35,
    y: 47.5,
    speedX: side === LEFT ? -1.5 : 1.5,
    speedY: Math.random() < 0.5 ? -1 : 1,
  };
  state.serveSide = 1 - side;
}

function moveBall(ball, left, right) {
  let x = ball.x + ball.speedX;
  let y = ball.y + ball.speedY;
  if (x < 3.3 && ball.x >= 3.3) {
    if (meets(ball, left, 3.3)) {
      x = 6.6 - x;
      sendBack(ball);
    }
  } else if (ball.x <= 93.4 && x > 93.4 && meets(ball, right, 93.4)) {
    x = 186.8 - x;
    sendBack(ball);
  }
  if (y < 0 || y > 95) {
    y = bounced(y);
    ball.speedY = -ball.speedY;
  }
  ball.x = x;
  ball.y = y;
}

function meets(ball, paddle, face) {
  const part = (face - ball.x) / ball.speedX;
  const at = bounced(ball.y + ball.speedY * part);
  return paddle.y - 5 < at && at < paddle.y + 25;
}

function bounced(y) {
  if (y < 0) return -y;
  return y > 95 ? 190 - y : y;
}

function sendBack(ball) {
  ball.speedX = limit(-ball.speedX * 1.05);
  ball.speedY = limit(ball.speedY * 1.05);
}

function limit(speed) {
  return Math.min(Math.max(speed, -3), 3);
}

function score(state, seat) {
  state.scores[seat] += 1;
  state.ball = null;
  state.serveInTicks = 45;
}

export function view(state) {
  const [left, right] = state.paddles;
  const [s1, s2] = state.scores;
  const seen = { p1Y: rounded(left.y), p2Y: rounded(right.y), s1, s2 };
  if (state.ball) {
    seen.ballX = rounded(state.ball.x);
    seen.ballY = rounded(state.ball.y);
  }
  return seen;
}

function rounded(number) {
  return Math.round(number * 100) / 100;
}
